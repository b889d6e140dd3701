import assert from "node:assert/strict";
import { fakeApi, LOCAL } from "../../support/control.ts";

function post(body: string): Promise<Response> {
  const headers = { "content-type": "application/json", "content-length": String(body.length) };
  return Promise.resolve(
    fakeApi().request("http://lb:8888/servers/web", { method: "POST", headers, body }, LOCAL),
  );
}

Deno.test.each([
  { body: "{}", status: 200 },
  { body: "[".repeat(32) + "]".repeat(32), status: 200 },
  { body: "[".repeat(33) + "]".repeat(33), status: 400 },
  { body: '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000), status: 400 },
  { body: " ", status: 400 },
  { body: "{", status: 400 },
])("a body is answered $status", async ({ body, status }) => {
  const answer = await post(body);
  assert.equal(answer.status, status, await answer.text());
});
