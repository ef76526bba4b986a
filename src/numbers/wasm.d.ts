/** `import path from "….wasm" with { type: "file" }` gives the path of the file, embedded or on disk. */
declare module "*.wasm" {
  const path: string;
  export default path;
}

/** `import text from "….base64" with { type: "text" }` gives the file itself. */
declare module "*.base64" {
  const text: string;
  export default text;
}
