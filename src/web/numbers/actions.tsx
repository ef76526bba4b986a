/**
 * What can be done with digits: copy and download them.
 * @module
 */
import { useCopy } from "../copy.ts";
import { Download, fetchBlob } from "../download.tsx";
import type { Server } from "../server.ts";
import type { Digits } from "./ask.ts";

/** A clipboard has taken 20 million; far more would stop the browser. */
const COPIED_DIGITS_MAX = 50_000_000;

/** The buttons. */
export function Actions({ server, found }: { readonly server: Server; readonly found: Digits }) {
  const { title, digits, path, file, blob, text } = found;
  const { said, copy } = useCopy(
    async () => (await fetchBlob(server, { path, bytes: digits, blob })).text(),
    path,
  );
  return (
    <p class="actions">
      {digits <= COPIED_DIGITS_MAX && (
        <button type="button" onClick={copy}>
          Copy
        </button>
      )}
      {text === undefined && (
        <Download
          server={server}
          path={path}
          file={file}
          bytes={digits}
          label={`Download ${title}`}
          blob={blob}
        />
      )}
      <span class="note" role="status">
        {said}
      </span>
    </p>
  );
}
