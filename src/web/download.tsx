/**
 * A download from the server: a plain link, which a browser fetches by itself. With a token there is none, since a link
 * shows no token: then the page fetches it, and hands it to the browser as a file.
 * @module
 */
import { FibClientError } from "@fibserver/client";
import { useState } from "hono/jsx/dom";
import { type Server, token } from "./server.ts";
import { Notice } from "./words.tsx";

/** More is nothing for the memory of a page. */
const PAGE_BYTES_MAX = 200_000_000;

/** The link, or a button in its place; nothing where the page cannot hold it. */
export function Download(props: {
  readonly server: Server;
  readonly path: string;
  readonly file: string;
  readonly bytes: number;
  readonly label: string;
  /** The text, where it is here already. */
  readonly blob?: Blob | undefined;
}) {
  const { server, path, file, bytes, label, blob } = props;
  const [error, setError] = useState<unknown>(undefined);
  const [isBusy, setBusy] = useState(false);
  if (token.get() === undefined)
    return (
      <a class="button" href={path} download={file} aria-label={label}>
        Download
      </a>
    );
  if (bytes > PAGE_BYTES_MAX) return null;
  const save = () => {
    if (isBusy) return;
    setError(undefined);
    setBusy(true);
    fetchBlob(server, { path, bytes, blob })
      .then((text) => saveFile(text, file))
      .catch(setError)
      .finally(() => setBusy(false));
  };
  return (
    <>
      <button type="button" class="button" onClick={save} aria-busy={String(isBusy)} aria-label={label}>
        Download
      </button>
      <Notice error={error} />
    </>
  );
}

/** What is to be fetched as a whole. */
interface Text {
  readonly path: string;
  readonly bytes: number;
  /** Where it is here already. */
  readonly blob?: Blob | undefined;
}

/** A whole text. */
export async function fetchBlob(
  server: Server,
  { path, bytes, blob }: Text,
  signal?: AbortSignal,
): Promise<Blob> {
  // The browser would keep it on its disk.
  return blob ?? wholeOf(await server.fetch(path, { cache: "no-store", ...(signal && { signal }) }), bytes);
}

/** What a proxy of HTTP/1.0 hands on ends with its connection, wherever that breaks. @param bytes - Undefined where nobody knows. */
export async function wholeOf(response: Response, bytes: number | undefined): Promise<Blob> {
  const blob = await response.blob();
  if (bytes === undefined || blob.size === bytes) return blob;
  throw new FibClientError("unreachable", "The answer has ended early");
}

function saveFile(blob: Blob, file: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = file;
  link.click();
  // By then the browser has it.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
