import assert from "node:assert/strict";
import { flowsBy, openIn, removedIn } from "../../../../lib/host/conntrack.ts";
import { parseStarts, processStarts } from "../../../../lib/host/process_starts.ts";
import { runProgram } from "../../../../lib/host/program.ts";

/** As conntrack 1.4.7 prints them: led elsewhere, closed, not led anywhere. */
const LISTED = `
tcp      6 431999 ESTABLISHED src=10.9.0.2 dst=10.9.0.1 sport=41000 dport=80 src=10.9.1.2 dst=10.9.1.1 sport=8000 dport=41000 [ASSURED] mark=0 use=1
tcp      6 118 TIME_WAIT src=10.9.0.2 dst=10.9.0.1 sport=41002 dport=80 src=10.9.1.2 dst=10.9.1.1 sport=8000 dport=41002 [ASSURED] mark=0 use=1
tcp      6 431999 ESTABLISHED src=10.9.0.2 dst=192.0.2.1 sport=41004 dport=80 src=192.0.2.1 dst=10.9.0.2 sport=80 dport=41004 [ASSURED] mark=0 use=1
conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown.
`;

Deno.test("openIn() counts connections that are open and were led elsewhere", () => {
  assert.equal(openIn(LISTED), 1);
  assert.equal(openIn(""), 0);
});

Deno.test("removedIn() reads how many were deleted", () => {
  assert.equal(
    removedIn("conntrack v1.4.7 (conntrack-tools): 12 flow entries have been deleted."),
    12,
  );
  assert.equal(removedIn(""), 0);
});

Deno.test("flowsBy() asks for both versions of IP unless an address says which, and names what fails", async () => {
  const asked: string[] = [];
  let stderr = "conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.";
  const flows = flowsBy((argv) => {
    asked.push(argv.join(" "));
    return Promise.resolve({ code: 1, ended: undefined, stdout: "", stderr });
  });
  assert.equal(await flows.remove({ protocol: "udp", port: 53 }), 0);
  const backend = { address: "fd00::2", port: 8053 };
  await flows.remove({ protocol: "udp", port: 53, backend });
  assert.equal(await flows.countOpen({ port: 80, address: "10.0.0.1" }), 0);
  assert.deepEqual(asked, [
    "conntrack -D -f ipv4 -p udp --orig-port-dst 53",
    "conntrack -D -f ipv6 -p udp --orig-port-dst 53",
    "conntrack -D -f ipv6 -p udp --orig-port-dst 53 --dst-nat --reply-src fd00::2 --reply-port-src 8053",
    "conntrack -L -f ipv4 -p tcp --orig-port-dst 80 --orig-dst 10.0.0.1 --state ESTABLISHED",
  ]);
  stderr = "conntrack v1.4.7 (conntrack-tools): Operation failed: sorry, you must be root";
  await assert.rejects(flows.remove({ protocol: "udp", port: 53 }), /you must be root/);
});

Deno.test("processStarts() tells this process from one that has ended, and from another of its number", async () => {
  const dead = new Deno.Command("true").spawn();
  await dead.status;
  const { namespace, starts } = (await processStarts(runProgram, [Deno.pid, dead.pid]))!;
  assert.match(namespace, /^\d+$/);
  assert.deepEqual([...starts.keys()], [Deno.pid]);
  assert(starts.get(Deno.pid)! > 0);
  assert.deepEqual(parseStarts("\nend\n"), { namespace: "0", starts: new Map() });
  assert.equal(parseStarts("pid:[7]\n1 2\n"), undefined, "it was cut off");
});
