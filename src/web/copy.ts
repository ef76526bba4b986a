/**
 * Copies a text, as every part of the page does.
 * @module
 */
import { useEffect, useState } from "hono/jsx/dom";
import { explained } from "./words.tsx";

/**
 * What copies, and what is said of it.
 *
 * @param text - Gets the text, perhaps from the server.
 * @param of - What it is the text of: of another one nothing has been said yet.
 */
export function useCopy(text: () => Promise<string>, of: unknown) {
  const [said, setSaid] = useState("");
  useEffect(() => setSaid(""), [of]);
  const copy = () => {
    setSaid("Copying");
    copyText(text()).then(
      (isCopied) => setSaid(isCopied ? "Copied" : "This browser lets no page copy"),
      (error: unknown) => setSaid(explained(error).title),
    );
  };
  return { said, copy };
}

/** @returns Whether it is in the clipboard. */
async function copyText(text: Promise<string>): Promise<boolean> {
  const blob = text.then((digits) => new Blob([digits], { type: "text/plain" }));
  try {
    // The promise is handed over as it is, since a browser lets somebody copy only in answer to a press.
    await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
    return true;
  } catch {
    return copyAsEvent(await text);
  }
}

/** As pages did before there was a clipboard to write to: that is still so over http, but for this machine's own. */
function copyAsEvent(text: string): boolean {
  const fill = (event: ClipboardEvent) => {
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
  };
  document.addEventListener("copy", fill);
  try {
    return document.execCommand("copy");
  } finally {
    document.removeEventListener("copy", fill);
  }
}
