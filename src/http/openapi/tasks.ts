/**
 * The description of `/v1/tasks`.
 * @module
 */
import { LIST_ORDERS } from "../../tasks/queue.ts";
import { TASK_STATES } from "../../tasks/task.ts";
import { FAULTS, headers, parameters, problems } from "./parts.ts";
import { RESOURCE_PARAMETERS, resourceAnswers, withTerm } from "./resources.ts";
import { schema } from "./schemas.ts";
import type { Answer, Content, Operation, Paths } from "./types.ts";

const TAG = ["Tasks"] as const;

const EXAMPLE = {
  id: "01a1fd64-51f4-7678-af12-2ee8e6058112",
  kind: "fibonacci",
  n: "1000000",
  state: "running",
  progress: 0.25,
  digits: 208_988,
  attempts: 1,
  requests: 1,
  createdAt: "2026-11-27T09:00:00.000Z",
  startedAt: "2026-11-27T09:00:00.004Z",
};
const TASK: Content = { "application/json": { schema: schema("Task"), example: EXAMPLE } };

function task(description: string): Answer {
  return { description, headers: headers("Cache-Control"), content: TASK };
}

const CREATE: Operation = {
  operationId: "createTask",
  tags: TAG,
  summary: "Have something computed",
  description:
    "What is answered with 202 survives a crash and is computed to the end. The same computation asked twice is one task, as long as the first has not failed, was not cancelled and has not expired.",
  requestBody: {
    required: true,
    content: {
      "application/json": { schema: schema("TaskRequest"), example: { kind: "fibonacci", n: "1000000" } },
    },
  },
  responses: {
    202: {
      description: "The task, which may have ended already. `Location` says where it is.",
      headers: headers("Location", "Cache-Control", "MayRetryAfter"),
      content: TASK,
    },
    ...problems(
      "body_too_large",
      "result_too_large",
      "too_many_tasks",
      "machine_unreliable",
      ...FAULTS.tasks,
    ),
  },
};

const LIST: Operation = {
  operationId: "tasks",
  tags: TAG,
  summary: "List the tasks, in the order of their creation, or the newest first",
  parameters: [
    {
      name: "state",
      in: "query",
      description: "Only those in this state.",
      schema: { type: "string", enum: TASK_STATES },
    },
    {
      name: "after",
      in: "query",
      description: "Those behind this id: the `next` of the page before.",
      schema: { type: "string" },
    },
    {
      name: "order",
      in: "query",
      description: "Which comes first.",
      schema: { type: "string", enum: LIST_ORDERS, default: "oldest" },
    },
    ...parameters("limit"),
  ],
  responses: {
    200: {
      description: "A page of them.",
      headers: headers("Cache-Control"),
      content: { "application/json": { schema: schema("TaskPage"), example: { tasks: [EXAMPLE] } } },
    },
    ...problems(...FAULTS.tasks),
  },
};

const EVENTS: Operation = {
  operationId: "taskEvents",
  tags: TAG,
  summary: "Follow a task",
  description:
    "Server-sent events without a name: each is the whole task, the first at once, the last when it has ended. `Last-Event-ID` resumes.",
  parameters: parameters("id", "lastEventId"),
  responses: {
    200: {
      description: "Events, until the task has ended.",
      headers: headers("Cache-Control", "X-Accel-Buffering"),
      content: {
        "text/event-stream": {
          schema: {
            type: "string",
            contentMediaType: "text/event-stream",
            contentSchema: schema("Task"),
          },
          example: `retry: 1000\n\nid: 1-running-2500\ndata: ${JSON.stringify(EXAMPLE)}\n\n`,
        },
      },
    },
    204: {
      description: "It has ended, and `Last-Event-ID` names its end.",
      headers: headers("Cache-Control"),
    },
    ...problems("task_unknown", ...FAULTS.tasks),
  },
};

/** The paths. */
export const TASK_PATHS: Paths = {
  "/v1/tasks": { get: LIST, post: CREATE },
  "/v1/tasks/{id}": {
    get: {
      operationId: "task",
      tags: TAG,
      summary: "How a task stands",
      parameters: parameters("id"),
      responses: { 200: task("The task."), ...problems("task_unknown", ...FAULTS.tasks) },
    },
    delete: {
      operationId: "forgetTask",
      tags: TAG,
      summary: "Forget a task with its result, for everybody",
      description: "One that waits or runs is ended. The answer is the same when it is repeated.",
      parameters: parameters("id"),
      responses: {
        204: { description: "There is none any more.", headers: headers() },
        ...problems("task_unknown", ...FAULTS.tasks),
      },
    },
  },
  "/v1/tasks/{id}/cancel": {
    post: {
      operationId: "cancelTask",
      tags: TAG,
      summary: "Cancel a task that waits or runs",
      description: "One that has ended stays as it is.",
      parameters: [
        ...parameters("id"),
        {
          name: "unless",
          in: "query",
          description: "`shared` spares a task that was asked for more than once.",
          schema: { type: "string", const: "shared" },
        },
      ],
      responses: { 200: task("The task as it is now."), ...problems("task_unknown", ...FAULTS.tasks) },
    },
  },
  "/v1/tasks/{id}/result": {
    get: {
      operationId: "taskResult",
      tags: TAG,
      summary: "What a task has computed",
      description: "409 while there is nothing, and when there never will be anything, with the reason.",
      parameters: parameters("id", "sequenceFormat", ...RESOURCE_PARAMETERS),
      responses: withTerm(
        resourceAnswers(
          "The digits, the terms, or what was found out.",
          {
            "text/plain": { schema: { type: "string" }, example: "55" },
            "application/json": {
              schema: {
                oneOf: [
                  schema("NumberResult"),
                  schema("Remainder"),
                  schema("DigitCounts"),
                  schema("Period"),
                  schema("Terms"),
                ],
              },
              example: { n: "10", digits: 2, value: "55" },
            },
            "application/x-ndjson": { schema: { type: "string" } },
            "text/csv": { schema: { type: "string" }, example: "n,value\n10,55\n" },
          },
          [
            "not_acceptable",
            "task_unknown",
            "task_not_ready",
            "task_failed",
            ...FAULTS.numbers,
            ...FAULTS.tasks,
          ],
        ),
      ),
    },
  },
  "/v1/tasks/{id}/events": { get: EVENTS },
};
