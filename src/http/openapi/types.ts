/**
 * The part of OpenAPI 3.1 that the description uses. A word that is misspelled there does not compile.
 *
 * By hand: the types of npm's `openapi-types` take any word in a schema, and so find no mistake in one.
 * @see https://spec.openapis.org/oas/v3.1.1
 * @module
 */

import type { Method } from "../methods.ts";

/** Points at a part of the document that several share. */
export interface Reference {
  readonly $ref: `#/components/${string}`;
}

/** Which tokens do: none, or one with these scopes. */
export type Security = readonly Readonly<Record<string, readonly string[]>>[];

/** What a value looks like: JSON Schema 2020-12. */
export interface Schema {
  readonly $ref?: Reference["$ref"];
  readonly type?: "string" | "number" | "integer" | "boolean" | "object" | "array" | "null";
  readonly description?: string;
  readonly const?: string | number | boolean;
  readonly enum?: readonly string[];
  readonly default?: string | number;
  readonly examples?: readonly unknown[];
  readonly format?: "date-time" | "uuid" | "uri-reference";
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | Schema;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly contentMediaType?: string;
  /** Of what is sent as a text: of events, their data. */
  readonly contentSchema?: Schema;
}

/** A value as it is sent, and whether it is there each time. */
export interface Header {
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

/** A part of a request. */
export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Schema;
  readonly example?: string | number;
}

/** Bodies by their media type. */
export type Content = Readonly<
  Record<string, { readonly schema?: Schema; readonly example?: unknown; readonly examples?: Examples }>
>;

type Examples = Readonly<Record<string, { readonly summary?: string; readonly value: unknown }>>;

/** An answer. */
export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, Header | Reference>>;
  readonly content?: Content;
}

/** Answers by their status. */
export type Answers = Readonly<Record<string, Answer>>;

/** What a method does at a path. */
export interface Operation {
  readonly operationId: string;
  readonly tags: readonly [string];
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly (Parameter | Reference)[];
  readonly requestBody?: {
    readonly description?: string;
    readonly required: boolean;
    readonly content: Content;
  };
  readonly security?: Security;
  readonly responses: Answers;
}

/** Methods of one path; HEAD is said once, for all GETs. */
export type PathItem = Readonly<Partial<Record<Lowercase<Method>, Operation>>>;

/** Operations by the path that they are at, as OpenAPI spells it: `/v1/cursors/{name}`. */
export type Paths = Readonly<Record<`/${string}`, PathItem>>;

/** The whole description. */
export interface Document {
  readonly openapi: "3.1.1";
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly summary: string;
    readonly description: string;
    readonly license: { readonly name: string; readonly identifier: string };
  };
  readonly servers: readonly { readonly url: string; readonly description: string }[];
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Paths;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly headers: Readonly<Record<string, Header>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}
