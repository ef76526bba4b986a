/** What a server says of its certificate as the days go by. Method: a clock that is moved, and a log that is kept. */
import { expect, jest, setSystemTime } from "bun:test";
import fs from "node:fs";
import type { Logger } from "../../src/log.ts";
import { openTls } from "../../src/serving/tls.ts";
import { makeCertificates, withOpenssl } from "../certificates.ts";
import { temporaryFolder } from "../temporary.ts";

const DAY_MS = 86_400_000;

withOpenssl(
  "openTls() looks at the files each day: one that nears its end, a new one, and one that has expired",
  async () => {
    const at = await makeCertificates(temporaryFolder());
    const said: string[] = [];
    const keep = (level: string) => (message: string, values: Record<string, unknown>) =>
      void said.push(
        `${level}: ${message.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(values[name]))}`,
      );
    const log = { info: keep("info"), warn: keep("warn"), error: keep("error") } as unknown as Logger;
    const listeners = process.listeners("SIGHUP");
    const startMs = Date.now();
    const afterDays = async (days: number) => {
      said.length = 0;
      setSystemTime(startMs + days * DAY_MS);
      jest.advanceTimersByTime(DAY_MS);
      // No timer ends here; reading takes turns.
      while (said.length === 0) await fs.promises.stat(at("good.crt"));
      return said.join("\n");
    };
    jest.useFakeTimers();
    try {
      const file = (name: string) => ({ path: at(name), source: "--tls-cert" });
      await openTls({ cert: file("good.crt"), key: file("good.key") }, log);
      expect(said).toEqual([]);
      expect(await afterDays(1)).toMatch(/^info: .*good.crt is the one in use, valid until [\d-]+$/);
      expect(await afterDays(80)).toMatch(/^warn: .*good.crt expires on [\d-]+; days left: \d$/m);
      expect(await afterDays(91)).toMatch(
        /^error: .*it has expired, on .*; the certificate of the start stays in use$/,
      );
      for (const end of ["crt", "key"]) fs.copyFileSync(at(`early.${end}`), at(`good.${end}`));
      expect(await afterDays(40)).toMatch(
        /^warn: .*good.crt, valid until .* is not in use yet, and the one in use ends on/,
      );
    } finally {
      jest.useRealTimers();
      setSystemTime();
      for (const each of process.listeners("SIGHUP"))
        if (!listeners.includes(each)) process.off("SIGHUP", each);
    }
  },
);
