/**
 * The part Cursor: where a cursor stands, its value and its picture, live; and what moves it.
 * @module
 */
import { useEffect, useMemo, useRef, useState } from "hono/jsx/dom";
import { lastPath, showPlace, useAsked } from "../place.ts";
import { link, type Server } from "../server.ts";
import { useStore } from "../store.ts";
import { useWhileVisible } from "../visible.ts";
import { counted, grouped } from "../numerals.ts";
import { Notice } from "../words.tsx";
import { SpiralDrawing } from "./drawing.ts";
import { Moves } from "./moves.tsx";
import { isName, NAME_RULE, Names } from "./names.tsx";
import { PHI, ratioOf } from "./ratio.ts";
import { CursorSession, DEFAULT_NAME, type Known } from "./session.ts";
import { Value } from "./value.tsx";

/** The part. */
export function Cursor({ server: { client } }: { readonly server: Server }) {
  const name = useName();
  const session = useMemo(
    () => new CursorSession(client, isName(name) ? name : DEFAULT_NAME),
    [client, name],
  );
  const known = useStore(session.known);
  useEffect(() => () => session.moves.end(), [session]);
  // From the beginning when the server is back: perhaps with another file, of which events since the last tell nothing.
  const isLive = useStore(link) === "live";
  useWhileVisible((signal) => void session.follow(signal), [session, isLive]);
  const { shown } = known;
  return (
    <>
      <div class="cursor">
        <div class="stand">
          <div class="which">
            <h1>
              <i>F</i>({shown === undefined ? <i>n</i> : grouped(shown.index)})
            </h1>
            <Names client={client} session={session} key={session.name} />
          </div>
          <Value client={client} name={session.name} known={known} />
          <Moves session={session} known={known} onMove={() => showCursor(session.name)} />
          <RatioFigures index={shown?.index} />
        </div>
        <SpiralFigure index={shown?.index} key={session.name} />
      </div>
      <Message session={session} known={known} asked={name} />
    </>
  );
}

/** The name that the address asked for last. */
function useName(): string {
  const asked = useAsked("cursor");
  const [name, setName] = useState(() => (asked?.path ?? lastPath("cursor"))[0] ?? DEFAULT_NAME);
  useEffect(() => {
    if (asked !== undefined) setName(asked.path[0] ?? DEFAULT_NAME);
  }, [asked]);
  return name;
}

/** Puts a cursor into the address. Not again for each step: browsers limit how often that may be done. */
function showCursor(name: string): void {
  const path = name === DEFAULT_NAME ? [] : [name];
  if (location.hash !== `#${["cursor", ...path].join("/")}`) showPlace("cursor", ...path);
}

/** The picture. */
function SpiralFigure({ index }: { readonly index: number | undefined }) {
  const svg = useRef<SVGSVGElement>(null);
  const drawing = useRef<SpiralDrawing>(null);
  useEffect(() => {
    // Whoever was locked out before the next frame is gone again.
    if (svg.current) drawing.current = new SpiralDrawing(svg.current);
    return () => drawing.current?.end();
  }, []);
  useEffect(() => {
    if (index !== undefined) drawing.current?.show(index);
  }, [index]);
  const last = grouped(index ?? 0);
  return (
    <figure class="spiral">
      <svg
        ref={svg}
        role="img"
        aria-label={`Squares with sides up to F(${last}), and the spiral through them`}
      />
    </figure>
  );
}

/** The ratio of two terms beside that of all of them. */
function RatioFigures({ index }: { readonly index: number | undefined }) {
  const ratio = ratioOf(index ?? 0);
  return (
    <dl class="ratio">
      <dt>
        <i>F</i>(<i>n</i>)&#8239;/&#8239;<i>F</i>(<i>n</i>−1)
      </dt>
      <dd>
        {ratio === undefined ? (
          <span>{index === undefined ? "" : "none yet"}</span>
        ) : (
          <>
            <b>{ratio.agreed}</b>
            <span>{ratio.rest}</span>
          </>
        )}
      </dd>
      <dt>
        <i>φ</i>
      </dt>
      <dd>
        <span>{PHI}</span>
      </dd>
    </dl>
  );
}

/** What there is to say besides. */
function Message({
  session: { name, moves },
  known: { state, refusal, blindness, forbidden },
  asked,
}: {
  readonly session: CursorSession;
  readonly known: Known;
  readonly asked: string;
}) {
  const { count, isSlow, reason } = useStore(moves.waiting);
  const isAway = useStore(link) === "away";
  return (
    <div class="message">
      {asked === name ? null : (
        <Note text={`“${asked}” is no name of a cursor; this is ${name}. ${NAME_RULE}`} />
      )}
      {isAway || isSlow ? <Note text={waitingText(isAway, count)} /> : null}
      {state === "removed" ? (
        <Note text={`The cursor ${name} was removed. Next makes it anew, from 0.`} />
      ) : null}
      {forbidden === undefined ? null : <Note text={`This token does not move it. ${forbidden}`} />}
      <Notice error={refusal} />
      <Notice error={reason} />
      <Notice error={blindness} />
    </div>
  );
}

function waitingText(isAway: boolean, waitingCount: number): string {
  const seen = isAway ? "The server is away. What is here is what was seen last. " : "";
  if (waitingCount === 0) return seen;
  return `${seen}${counted(waitingCount, "move waits", "moves wait")} for an answer.`;
}

function Note({ text }: { readonly text: string }) {
  return (
    <p class="note" role="status">
      {text}
    </p>
  );
}
