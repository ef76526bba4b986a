/**
 * Which cursor: chosen by name, made, removed.
 *
 * There may be 100,000 names, so the list is what the server has of those that begin as it was typed. Each is a link, and so
 * is one that does not exist yet: the first move makes it.
 * @module
 */
import type { FibClient, ListedCursor } from "@fibserver/client";
import { useEffect, useLayoutEffect, useRef, useState } from "hono/jsx/dom";
import { writePlace } from "../place.ts";
import { link } from "../server.ts";
import { useStore } from "../store.ts";
import { grouped } from "../numerals.ts";
import { Notice } from "../words.tsx";
import { type CursorSession, DEFAULT_NAME } from "./session.ts";

/** What a name is. */
export const NAME_RULE =
  "A name has 1 to 64 of a–z, 0–9, “.”, “_” and “-”, begins with a letter or a digit, and not with “client-”.";

/** Whether somebody may give it. */
export function isName(text: string): boolean {
  return /^(?!client-)[a-z0-9][a-z0-9._-]{0,63}$/.test(text);
}

/** More names than that nobody reads. */
const LISTED_MAX = 100;
/** So long nothing is typed until the server is asked. */
const TYPING_MS = 150;

interface NamesProps {
  readonly client: FibClient;
  readonly session: CursorSession;
}

/** The name, and what chooses another one. */
export function Names({ client, session }: NamesProps) {
  const [isOpen, setOpen] = useState(false);
  const whole = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  // Focus that goes nowhere left a button that is gone: only what goes elsewhere, and a press there, closes it.
  const leave = (target: EventTarget | null) => {
    if (target instanceof Node && whole.current?.contains(target) === false) setOpen(false);
  };
  useEffect(() => {
    const listen = ({ target }: Event) => leave(target);
    document.addEventListener("pointerdown", listen);
    return () => document.removeEventListener("pointerdown", listen);
  }, []);
  return (
    <div
      class="names"
      ref={whole}
      onFocusout={({ relatedTarget }: FocusEvent) => leave(relatedTarget)}
      onKeydown={({ key }: KeyboardEvent) => key === "Escape" && isOpen && close()}
    >
      <button
        type="button"
        class="quiet"
        ref={button}
        aria-expanded={String(isOpen)}
        aria-controls="cursor-names"
        aria-label={`Cursor ${session.name}: choose another`}
        onClick={() => setOpen(!isOpen)}
      >
        {session.name}
      </button>
      {isOpen ? <Panel client={client} session={session} onClose={close} /> : null}
    </div>
  );
}

/** The names, as somebody looks for one. */
function Panel({ client, session, onClose }: NamesProps & { readonly onClose: () => void }) {
  const [typed, setTyped] = useState("");
  const { listed, error } = useListed(client, typed);
  const input = useRef<HTMLInputElement>(null);
  // At once: somebody types on.
  useLayoutEffect(() => input.current?.focus(), []);
  const choose = (event: Event) => {
    event.preventDefault();
    if (!isName(typed)) return;
    location.hash = placeOf(typed);
    onClose();
  };
  const isNew = isName(typed) && listed !== undefined && !listed.some(({ name }) => name === typed);
  return (
    <div id="cursor-names" class="panel" tabindex={-1}>
      <form onSubmit={choose}>
        <label for="cursor-name">Cursor</label>
        <input
          id="cursor-name"
          ref={input}
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="a name, old or new"
          onInput={(event: Event) => setTyped((event.target as HTMLInputElement).value.trim())}
        />
      </form>
      <p class="note wrong" role="status">
        {typed === "" || isName(typed) ? null : NAME_RULE}
      </p>
      <ul>
        {isNew ? <Item name={typed} says="new" session={session} onClose={onClose} key="new" /> : null}
        {listed?.map(({ name, index }) => (
          <Item name={name} says={grouped(index)} session={session} onClose={onClose} key={name} />
        ))}
      </ul>
      {listed?.length === LISTED_MAX ? <p class="note">And more: type how it begins.</p> : null}
      <Notice error={error} />
      {session.name === DEFAULT_NAME ? null : <Removal session={session} onClose={onClose} />}
    </div>
  );
}

interface ItemProps {
  readonly name: string;
  readonly says: string;
  readonly session: CursorSession;
  readonly onClose: () => void;
}

function Item({ name, says, session, onClose }: ItemProps) {
  const current = name === session.name ? { "aria-current": "true" } : {};
  return (
    <li>
      <a href={placeOf(name)} onClick={onClose} {...current}>
        <span>{name}</span> <span class="note">{says}</span>
      </a>
    </li>
  );
}

/** What removes a cursor: asks once more. */
function Removal({ session, onClose }: { readonly session: CursorSession; readonly onClose: () => void }) {
  const [isAsking, setAsking] = useState(false);
  const keep = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => keep.current?.focus(), [isAsking]);
  const remove = () => {
    void session.remove();
    onClose();
  };
  return (
    <p class="removal">
      {isAsking ? (
        <>
          <button type="button" onClick={remove}>
            Remove for all
          </button>
          <button type="button" class="quiet" ref={keep} onClick={() => setAsking(false)}>
            Keep
          </button>
        </>
      ) : (
        <button type="button" class="quiet" onClick={() => setAsking(true)}>
          Remove {session.name}
        </button>
      )}
    </p>
  );
}

/** The names that begin with a text: those before, until there is an answer. */
function useListed(client: FibClient, prefix: string) {
  const isLive = useStore(link) === "live";
  const [state, setState] = useState<{ listed?: readonly ListedCursor[]; error?: unknown }>({});
  useEffect(() => {
    if (!isLive) return undefined;
    const asked = new AbortController();
    const { signal } = asked;
    const ask = async () => {
      try {
        if (prefix !== "" && !isName(prefix)) return setState({ listed: [] });
        const listed = await Array.fromAsync(client.cursors.list({ prefix, limit: LISTED_MAX, signal }));
        setState({ listed });
      } catch (error) {
        if (!signal.aborted) setState({ listed: [], error });
      }
    };
    const timer = setTimeout(() => void ask(), prefix === "" ? 0 : TYPING_MS);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }, [client, prefix, isLive]);
  return { listed: state.listed, error: state.error };
}

function placeOf(name: string): string {
  return writePlace({ part: "cursor", path: name === DEFAULT_NAME ? [] : [name] });
}
