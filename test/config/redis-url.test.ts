/** URLs of Redis: what they say, and that no password is shown. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { addressOf, parseRedisUrl } from "../../src/config/redis-url.ts";
import { kindOf } from "../../src/redis/client.ts";

const ALONE = { isTls: false, login: "", hosts: ["h:6379"], name: undefined, database: "" };
const WATCHED = { isTls: false, login: "", hosts: ["a:26379"], name: "fib", database: "" };

test("parseRedisUrl() reads one server, or Sentinels and a name", () => {
  for (const [url, expected] of [
    ["redis://h", ALONE],
    ["REDIS://h:6379/", ALONE],
    [
      "rediss://u:p%40@h:1/15",
      { isTls: true, login: "u:p%40@", hosts: ["h:1"], name: undefined, database: "15" },
    ],
    ["redis://[::1]:6380/3", { ...ALONE, hosts: ["[::1]:6380"], database: "3" }],
    ["redis://:a@b@h", { ...ALONE, login: ":a@b@" }],
    ["redis+sentinel://a/fib", WATCHED],
    ["redis+sentinel://a/fib/", WATCHED],
    ["redis+sentinel://a,b:2,[fd00::1]/fib", { ...WATCHED, hosts: ["a:26379", "b:2", "[fd00::1]:26379"] }],
    [
      "rediss+sentinel://:p@a:1,b/my.master-1/15",
      { isTls: true, login: ":p@", hosts: ["a:1", "b:26379"], name: "my.master-1", database: "15" },
    ],
  ] as const) {
    expect([url, parseRedisUrl(url)]).toEqual([url, expected]);
  }
});

test("parseRedisUrl() reads nothing else", () => {
  for (const url of [
    "",
    "h",
    "http://h",
    "redis://",
    "redis://h/name",
    "redis://:p%zz@h",
    "redis://a,b",
    "redis://a b",
    "redis://[::1",
    "redis://h:0",
    "redis://h:65536",
    "redis://h:6379?x",
    "redis://u:p/w@h",
    "redis+sentinel://a",
    "redis+sentinel://a/",
    "redis+sentinel://a,,b/fib",
    "redis+sentinel://a:0/fib",
    "redis+sentinel://a/f b",
    "redis+sentinel://a/fib/name",
    "redis+sentinel://a/fib/1/2",
    "redis+sentinel:///fib",
    "redis-sentinel://a/fib",
  ]) {
    expect([url, parseRedisUrl(url)]).toEqual([url, undefined]);
  }
});

test("addressOf() shows no password of a URL that can be read", () => {
  const word = fc.stringMatching(/^[a-z]{1,9}$/);
  fc.assert(
    fc.property(fc.stringMatching(/^[^/?#%]{0,12}$/), word, word, (password, host, name) => {
      const url = `redis+sentinel://:SECRET${password}@${host}:1,${host}/${name}`;
      if (parseRedisUrl(url) !== undefined)
        expect(addressOf(url)).toBe(`redis+sentinel://${host}:1,${host}/${name}`);
    }),
  );
  expect(addressOf("rediss://u:p@h:1/")).toBe("rediss://h:1");
});

test("kindOf() finds the first word of an error, and before Redis 7.0 that of a script's", () => {
  for (const [message, kind] of [
    ["READONLY You can't write against a read only replica. script: 88c9", "READONLY"],
    [
      "ERR Error running script (call to f_88c9): @user_script:1: @user_script: 1: -READONLY You can't",
      "READONLY",
    ],
    ["ERR unknown command 'X'", "ERR"],
    ["Connection closed", "Connection"],
    ["", ""],
  ] as const) {
    expect(kindOf(message)).toBe(kind);
  }
});
