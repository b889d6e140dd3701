import assert from "node:assert/strict";
import { z } from "zod";
import type { Kinds } from "../../../../lib/config/load.ts";
import { Registry } from "../../../../lib/registry.ts";
import { referencePage } from "../../../../lib/reference/page.ts";
import { kinds } from "../../../support/kinds.ts";

const WITH_STREAM: Kinds = {
  ...kinds,
  discoveries: new Registry("discovery", [{
    name: "stream",
    summary: "Backends from a stream.",
    shape: { stream_url: z.string().describe("Where it is, a|b.") },
    example: 'stream_url = "x"',
    find: () => Promise.resolve([]),
    async *watch() {},
    commands: () => [],
  }], ["cloud"]),
};

Deno.test("referencePage() takes up a kind by its registry entry alone", () => {
  const page = referencePage(WITH_STREAM);
  assert.ok(page.includes("\n  - [Discovery `stream`](#discovery-stream)\n"));
  assert.ok(page.includes(
    "\n### Discovery `stream`\n\nBackends from a stream. Changes are followed as they come: `interval` counts only after a " +
      'failure. How programs are run: [kinds.md](kinds.md#programs).\n\n```toml\n[servers.web]\nbind = ":3000"\n\n' +
      '[servers.web.discovery]\nkind = "stream"\nstream_url = "x"\n```\n\n' +
      "| key | value | default | meaning |\n| --- | --- | --- | --- |\n" +
      "| `stream_url` | text | required | Where it is, a\\|b. |\n",
  ));
  assert.ok(page.includes("\n- `stream_url`: [Discovery `stream`](#discovery-stream)\n"));
  assert.ok(page.includes("\n- the discovery `cloud`\n"));
});

Deno.test("referencePage() lists what is refused as not available, and gives it no place of its own", () => {
  const page = referencePage(kinds);
  assert.ok(page.includes('\n- `servers.NAME.protocol = "lines"`\n'));
  assert.ok(!page.includes("[metrics]"));
  assert.ok(!page.includes("### Discovery `lxd`"));
  assert.ok(page.includes('| `protocol` | one of `"tcp"`, `"tls"`, `"udp"` | `"tcp"` |'));
});

Deno.test("referencePage() has each section once, in the order of the file", () => {
  const sections = [...referencePage(kinds).matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  assert.deepEqual(sections, [
    ...["Contents", "How values are written", "Top of the file", "`[logging]`", "`[api]`"],
    ...["`[api.basic_auth]`", "`[api.tls]`", "`[acme]`", "`[defaults]`", "`[servers.NAME]`"],
    ...[
      "`[servers.NAME.sni]`",
      "`[servers.NAME.tls]`",
      "`[servers.NAME.backends_tls]`",
      "`[servers.NAME.udp]`",
      "`[servers.NAME.access]`",
      "`[servers.NAME.proxy_protocol]`",
      "`[servers.NAME.routes]`",
      "`[servers.NAME.routes.match]`",
      "`[pools.NAME]`",
      "Strategies",
      "Discoveries",
      "Checks",
    ],
    ...["Not available yet", "All keys"],
  ]);
});
