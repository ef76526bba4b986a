/**
 * A pane of digits over a text of any length, of which only what is seen is fetched, by ranges of bytes. A text that is
 * shorter than the pane has no scroll bar and no empty rows.
 *
 * Who reads with the ears is told what it is; what stands where is said by whoever shows the pane, when it rests.
 * @module
 */
import { useLayoutEffect, useRef, useState } from "hono/jsx/dom";
import type { Server } from "../server.ts";
import { Notice } from "../words.tsx";
import { DigitView } from "./digit-view.ts";
import type { Row, Rows } from "./rows.ts";

/** What a pane shows. */
export interface DigitPaneProps {
  readonly server: Server;
  /** Where the server has the text, such as `v1/fibonacci/100000?format=text`. Another path is another text. */
  readonly path: string;
  /** The text in rows of some width. */
  readonly rows: (width: number) => Rows;
  /** What it is, for those who cannot see it. */
  readonly label: string;
  /** Whether rows say what they belong to, such as the index of a term. */
  readonly gutter?: boolean;
  /** Where to go: each time that this is another object. */
  readonly asked?: { readonly byte: number } | undefined;
  /** The row at the top is another one, perhaps in each frame. */
  readonly onPlace?: (row: Row, width: number) => void;
  /** It has come to rest at another place, by hand (scrolled, or by keys) or as it was asked. */
  readonly onRest?: (row: Row, width: number, isByHand: boolean) => void;
}

/** The pane. */
export function DigitPane(props: DigitPaneProps) {
  const { server, path, label, asked, gutter = false } = props;
  const [error, setError] = useState<unknown>(undefined);
  const box = useRef<HTMLDivElement>(null);
  const view = useRef<DigitView | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useLayoutEffect(() => {
    setError(undefined);
    const [pane, probe] = box.current!.children as unknown as [HTMLElement, HTMLElement];
    const lines = pane.querySelector<HTMLElement>(".lines")!;
    const opened = new DigitView(
      { box: box.current!, pane, lines, probe },
      {
        server,
        path,
        rows: latest.current.rows,
        hasGutter: gutter,
        onPlace: (row, width) => latest.current.onPlace?.(row, width),
        onRest: (row, width, isByHand) => latest.current.onRest?.(row, width, isByHand),
        onError: setError,
      },
    );
    view.current = opened;
    return () => opened.close();
  }, [server, path]);
  // Before the next frame, for which an effect waits: digits are there 16 ms earlier.
  useLayoutEffect(() => {
    if (asked !== undefined) view.current!.goTo(asked.byte);
  }, [asked]);
  return (
    <div class="digit-pane">
      <div ref={box} class={gutter ? "box guttered" : "box"} tabindex={0} role="region" aria-label={label}>
        <div class="pane">
          <div class="block">
            <div class="lines" />
          </div>
        </div>
        <span class="probe" aria-hidden="true">
          {"0".repeat(100)}
        </span>
      </div>
      <Notice error={error} />
    </div>
  );
}
