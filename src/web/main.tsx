/**
 * Where the page begins, in the browser.
 * @module
 */
import { render } from "hono/jsx/dom";
import { App } from "./app.tsx";
import { followAddress } from "./place.ts";

followAddress();
render(<App />, document.getElementById("app")!);
