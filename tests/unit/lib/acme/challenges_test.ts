import assert from "node:assert/strict";
import { Challenges } from "../../../../lib/acme/challenges.ts";

const PATH = "/.well-known/acme-challenge/";

async function ask(challenges: Challenges, path: string, init: RequestInit = {}) {
  const headers = { host: "a.test:80", ...init.headers };
  const request = new Request(`http://a.test${path}`, { ...init, headers });
  const answer = challenges.answer(request);
  const location = answer.headers.get("location");
  return [answer.status, location ?? await answer.text()];
}

Deno.test("Challenges answers tokens while they are there, and sends everything else on to https", async () => {
  const challenges = new Challenges();
  {
    using _answer = challenges.add("token", "token.print");
    assert.deepEqual(await ask(challenges, `${PATH}token`), [200, "token.print"]);
    assert.deepEqual(await ask(challenges, `${PATH}other`), [404, "no such challenge"]);
  }
  assert.deepEqual(await ask(challenges, `${PATH}token`), [404, "no such challenge"]);
  assert.deepEqual(await ask(challenges, "/a/b?c=d"), [301, "https://a.test/a/b?c=d"]);
  assert.deepEqual(await ask(challenges, "//evil.test/"), [301, "https://a.test//evil.test/"]);
  assert.deepEqual(await ask(challenges, "/", { method: "POST" }), [405, "method not allowed"]);
  for (const host of ["", "a b", "a.test/x", "user@a.test", "a.test:x"]) {
    assert.equal((await ask(challenges, "/", { headers: { host } }))[0], 400, host);
  }
});
