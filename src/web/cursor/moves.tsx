/**
 * What moves a cursor: two buttons, the arrow keys, and an index to go to.
 * @module
 */
import { useEffect, useRef, useState } from "hono/jsx/dom";
import { useStore } from "../store.ts";
import { typedNatural } from "../numerals.ts";
import { type CursorSession, hasPrevious, type Known } from "./session.ts";

type Way = "previous" | "next";

/** The key of each way. */
const WAYS: Readonly<Record<string, Way>> = { ArrowLeft: "previous", ArrowRight: "next" };

/** Where arrow keys mean something else: what is typed into, and a pane that scrolls. */
const OWN_ARROWS = "input, select, textarea, [role=region][tabindex], [contenteditable]";

/** How it is moved. */
interface MovesProps {
  readonly session: CursorSession;
  readonly known: Known;
  readonly onMove: () => void;
}

/** The controls. */
export function Moves({ session, known, onMove }: MovesProps) {
  const [busyWay, setBusyWay] = useState<Way | "go">("next");
  const mayMove = known.forbidden === undefined;
  const step = (way: Way) => {
    if (!mayMove) return;
    setBusyWay(way);
    session.step(way);
    onMove();
  };
  const isBusy = useStore(session.moves.waiting).count > 0;
  useArrows((way, isHeld) => {
    // A held key waits for its own moves; what is pressed one by one is never lost.
    if (!isHeld || session.moves.waiting.get().count === 0) step(way);
  });
  return (
    <div class="moves">
      <button
        type="button"
        title="← on the keyboard"
        aria-disabled={String(!mayMove || !hasPrevious(known))}
        aria-busy={String(isBusy && busyWay === "previous")}
        onClick={() => step("previous")}
      >
        <span aria-hidden="true">←</span> Previous
      </button>
      <button
        type="button"
        class="main"
        title="→ on the keyboard"
        aria-disabled={String(!mayMove)}
        aria-busy={String(isBusy && busyWay === "next")}
        onClick={() => step("next")}
      >
        Next <span aria-hidden="true">→</span>
      </button>
      <GoTo
        isBusy={isBusy && busyWay === "go"}
        onGo={(index) => {
          session.dismiss();
          if (index === undefined) return;
          setBusyWay("go");
          session.go(index);
          onMove();
        }}
      />
    </div>
  );
}

/** Listens to the arrow keys, wherever they are not somebody else's, while one sees what they do. */
function useArrows(onArrow: (way: Way, isHeld: boolean) => void): void {
  const latest = useRef(onArrow);
  latest.current = onArrow;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      const way = WAYS[event.key];
      const hasOther = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
      if (way === undefined || hasOther || event.defaultPrevented) return;
      if (event.target instanceof Element && event.target.closest(OWN_ARROWS) !== null) return;
      if (!isSeen(document.getElementById("cursor")!)) return;
      event.preventDefault();
      latest.current?.(way, event.repeat);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

function isSeen(element: HTMLElement): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

interface GoToProps {
  readonly isBusy: boolean;
  /** Gets undefined for what is none. */
  readonly onGo: (index: bigint | undefined) => void;
}

/** An index, however it is typed. */
function GoTo({ isBusy, onGo }: GoToProps) {
  const [wrong, setWrong] = useState<string | undefined>(undefined);
  const submit = (event: Event) => {
    event.preventDefault();
    const input = (event.target as HTMLFormElement).elements.namedItem("index") as HTMLInputElement;
    const digits = typedNatural(input.value);
    setWrong(digits === undefined ? "An index is a whole number, such as 1 000" : undefined);
    onGo(digits === undefined ? undefined : BigInt(digits));
    if (digits !== undefined) input.value = "";
  };
  return (
    <form class="inline" onSubmit={submit}>
      <label for="cursor-index">Go to</label>
      <input
        id="cursor-index"
        name="index"
        inputmode="numeric"
        autocomplete="off"
        placeholder="index"
        onInput={() => setWrong(undefined)}
        aria-invalid={String(wrong !== undefined)}
        aria-describedby="cursor-index-wrong"
      />
      <button aria-busy={String(isBusy)}>Go</button>
      <span id="cursor-index-wrong" class="note wrong" role="status">
        {wrong}
      </span>
    </form>
  );
}
