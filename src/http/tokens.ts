/**
 * Tokens: who has sent a request, and whether they may (RFC 6750).
 *
 * What comes is hashed, and its digest compared with all that are known, each to its last bit and without a branch, so
 * that how long it takes tells nothing of any of them. That is 0.1 µs for the hash and 4 ns for each token;
 * `timingSafeEqual` takes 15 to 40 ns for each. If an engine broke that, a digest could leak, from which nobody finds
 * a token of 256 random bits. A cache of the tokens that came last would save less than it costs: it would have to
 * compare in the same way, and hold secrets.
 * @module
 */
import { FibError } from "../errors.ts";
import type { Grant } from "../grant.ts";
import type { TokenEntry } from "../token-file.ts";
import type { Place, Refusal, TokenCheck } from "./entry.ts";
import { type Need, needOf, RULES } from "./rights.ts";

/** The scheme in any case, a space or more, one token. Two headers come with a comma between them, which is in none. */
const CREDENTIALS = /^bearer +([\w.~+/-]+=*)$/i;
const CHALLENGE = `Bearer realm="fibserver"`;

/** Words of 32 bits in a SHA-256. */
const DIGEST_WORDS = 8;

/** The tokens of a server. */
export class Tokens implements TokenCheck {
  #grants: readonly Grant[] = [];
  /** Of all grants, one after the other. */
  #digests = new Int32Array();
  readonly #digest = new Int32Array(DIGEST_WORDS);

  constructor(entries: readonly TokenEntry[]) {
    this.replace(entries);
  }

  /** Takes these from now on, and no others. What is already being answered goes on. */
  replace(entries: readonly TokenEntry[]): void {
    this.#grants = entries.map(({ grant }) => grant);
    this.#digests = new Int32Array(entries.length * DIGEST_WORDS);
    const bytes = new Uint8Array(this.#digests.buffer);
    for (const [at, { digest }] of entries.entries()) bytes.set(digest, at * digest.length);
  }

  check(request: Request, { route, path }: Place): Grant | Refusal | undefined {
    const need = needOf(request.method, route);
    const rule = RULES[need];
    if (rule.isOpen?.(request) === true) return undefined;
    const header = request.headers.get("authorization");
    if (header === null) return unauthorized(CHALLENGE, "it needs the header Authorization: Bearer TOKEN");
    const token = CREDENTIALS.exec(header)?.[1];
    if (token === undefined)
      return unauthorized(INVALID, "the header Authorization takes Bearer and one token, once");
    const grant = this.#find(token);
    if (grant === undefined) return unauthorized(INVALID, "its token is none of this server's");
    return rule.allows(grant, request, path) ? grant : forbidden(grant, need);
  }

  #find(token: string): Grant | undefined {
    const [grants, digests, digest] = [this.#grants, this.#digests, this.#digest];
    Bun.SHA256.hash(token, digest);
    let found = 0;
    for (let at = 0; at < grants.length; at++) {
      let differing = 0;
      for (let word = 0; word < DIGEST_WORDS; word++)
        differing |= digests[at * DIGEST_WORDS + word]! ^ digest[word]!;
      // All bits where nothing differs, else none: a number or its negative has the highest bit, unless it is 0.
      found |= ~((differing | -differing) >> 31) & (at + 1);
    }
    return grants[found - 1];
  }
}

const INVALID = `${CHALLENGE}, error="invalid_token"`;

function unauthorized(challenge: string, reason: string): Refusal {
  const error = new FibError("unauthorized", `Cannot answer this request: ${reason}`);
  return { error, headers: { "www-authenticate": challenge } };
}

function forbidden({ name, scope, prefix }: Grant, need: Need): Refusal {
  const rule = RULES[need];
  const has = prefix === undefined ? scope : `${scope}:${prefix}`;
  // Only with a prefix may somebody not list.
  const instead = need === "list cursors" ? `; or ask with ?prefix=${prefix} (--prefix ${prefix})` : "";
  const error = new FibError(
    "forbidden",
    `Cannot do this with the token of ${name}: it needs the scope ${rule.wanted}, and has ${has}${instead}`,
  );
  return {
    error,
    headers: { "www-authenticate": `${CHALLENGE}, error="insufficient_scope", scope="${rule.scope}"` },
  };
}
