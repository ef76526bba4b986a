/**
 * Writes the manual page to standard output. Its date is SOURCE_DATE_EPOCH, so that the same sources make the same bytes.
 * @module
 */
import { manualPage } from "./page.ts";

const seconds = Number(process.env["SOURCE_DATE_EPOCH"] ?? Math.floor(Date.now() / 1000));
process.stdout.write(await manualPage(new Date(seconds * 1000)));
