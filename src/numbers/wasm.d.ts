/** `import path from "….wasm" with { type: "file" }` gives the path of the file, embedded or on disk. */
declare module "*.wasm" {
  const path: string;
  export default path;
}
