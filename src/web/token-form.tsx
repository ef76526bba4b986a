/**
 * Asks for the token of a server that wants one, once for this tab.
 * @module
 */
import { useEffect, useLayoutEffect, useRef, useState } from "hono/jsx/dom";
import { link, server, token } from "./server.ts";

/** What can be shown in a header. */
const TOKEN = /^[\w.~+/-]+=*$/;
/** No token is nearly as long; a server takes no headers that are. */
const CHARS_MAX = 1000;
/** So often it is asked whether it still wants one. */
const PAUSE_MS = 5000;

/** The form in the place of the parts. It goes when the server answers. */
export function TokenForm() {
  const input = useRef<HTMLInputElement>(null);
  const [wrong, setWrong] = useState(token.get() === undefined ? "" : REFUSED);
  // The parts have had the focus.
  useLayoutEffect(() => input.current?.focus(), []);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || void ask(), PAUSE_MS);
    return () => clearInterval(timer);
  }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    setWrong("");
    const text = input.current!.value.trim();
    const isToken = TOKEN.test(text);
    if (isToken) {
      token.set(text);
      await ask();
    }
    const state = link.get();
    if (state !== "live" || !isToken) {
      setWrong(!isToken ? MISTYPED : state === "away" ? "The server does not answer." : REFUSED);
      input.current?.select();
    }
  };
  return (
    <form class="token" onSubmit={(event: Event) => void submit(event)}>
      <h1>This server wants a token</h1>
      <p>
        Whoever runs it makes one with <code>fibserver token NAME</code>. It stays in this tab until that is
        closed.
      </p>
      <div class="inline">
        <label for="token">Token</label>
        <input
          id="token"
          ref={input}
          type="password"
          autocomplete="off"
          required
          maxlength={CHARS_MAX}
          aria-invalid={String(wrong !== "")}
          aria-describedby="token-wrong"
        />
        <button class="main">Open</button>
      </div>
      <p id="token-wrong" class="wrong" role="alert">
        {wrong}
      </p>
    </form>
  );
}

const REFUSED = "It does not take the one that it got. Perhaps another one?";
const MISTYPED = "A token has letters, digits and -._~+/ alone.";

/** What comes of it is seen where all answers are. */
async function ask(): Promise<void> {
  await server.fetch("v1/status").catch(() => {});
}
