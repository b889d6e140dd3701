import assert from "node:assert/strict";
import { fakeApi, LOCAL } from "../../support/control.ts";

const API = { enabled: true, basic_auth: { login: "admin", password: "1111" } };

Deno.test.each([
  { query: "", format: "toml" },
  { query: "?format=", format: "toml" },
  { query: "?format=toml", format: "toml" },
  { query: "?format=json", format: "json" },
])("GET /dump$query writes $format as plain text, without secrets", async ({ query, format }) => {
  const answer = await fakeApi({ api: API }).request(`/dump${query}`, {}, LOCAL);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), "text/plain; charset=utf-8");
  assert.equal(
    await answer.text(),
    `${format} {"logging":{"level":"info"},` +
      '"api":{"enabled":true,"basic_auth":{"login":"admin","password":"********"}},' +
      '"metrics":{},"defaults":{},"acme":null,"profiler":{},"servers":{},"top":{}}',
  );
});

Deno.test("GET /dump refuses a format that there isn't", async () => {
  const answer = await fakeApi().request("/dump?format=yaml", {}, LOCAL);
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), {
    error: '"yaml" is not a format',
    key: "format",
    hint: "One of toml, json",
  });
});
