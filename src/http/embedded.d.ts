/** `import path from "….br" with { type: "file" }` gives the path of the file, embedded or on disk. */
declare module "*.br" {
  const path: string;
  export default path;
}

/** The same. */
declare module "*.gz" {
  const path: string;
  export default path;
}

/** The same. */
declare module "*.zst" {
  const path: string;
  export default path;
}
