import assert from "node:assert/strict";
import { answerError, ApiError } from "../../../api/errors.ts";
import { ConfigError, ForbiddenError, type Problem, StartError } from "../../../lib/errors.ts";
import { MemoryLog } from "../../support/log.ts";

const NO_BIND: Problem = { path: ["servers", "web", "bind"], message: "no bind", hint: "add one" };
const OTHER: Problem = { path: [], message: "odd", hint: "" };

Deno.test.each([
  {
    name: "an ApiError with its details",
    error: new ApiError(409, "taken", { key: "bind", hint: "choose another" }),
    status: 409,
    body: { error: "taken", key: "bind", hint: "choose another" },
  },
  { name: "an ApiError alone", error: new ApiError(404, "no"), status: 404, body: { error: "no" } },
  {
    name: "a configuration's one problem",
    error: new ConfigError([NO_BIND]),
    status: 400,
    body: { error: "no bind", key: "servers.web.bind", hint: "add one" },
  },
  {
    name: "all problems of a configuration",
    error: new ConfigError([OTHER, NO_BIND]),
    status: 400,
    body: {
      error: "odd",
      problems: [{ error: "odd" }, { error: "no bind", key: "servers.web.bind", hint: "add one" }],
    },
  },
  {
    name: "an address that is taken",
    error: new StartError("in use", "see who has it"),
    status: 409,
    body: { error: "in use", hint: "see who has it" },
  },
  {
    name: "an order that nobody may give here",
    error: new ForbiddenError("no such command", "name it at the start"),
    status: 403,
    body: { error: "no such command", hint: "name it at the start" },
  },
])("answerError() answers $name", async ({ error, status, body }) => {
  const log = new MemoryLog();
  const answer = answerError(error, log, "GET /");
  assert.equal(answer.status, status);
  assert.equal(answer.headers.get("content-type"), "application/json; charset=utf-8");
  assert.deepEqual(await answer.json(), body);
  assert.deepEqual(log.lines, []);
});

Deno.test.each([
  { error: new TypeError("a secret detail"), text: "a secret detail" },
  { error: "just text", text: "just text" },
])(
  "answerError() logs what nobody expected, and says nothing of it: $text",
  async ({ error, text }) => {
    const log = new MemoryLog();
    const answer = answerError(error, log, "GET /servers");
    assert.equal(answer.status, 500);
    assert.deepEqual(await answer.json(), {
      error: "internal error",
      hint: "the log has the details",
    });
    assert.equal(log.lines.length, 1);
    assert.ok(
      log.lines[0]!.startsWith(
        `error a request to the API failed request=GET /servers error=${text} `,
      ),
    );
  },
);
