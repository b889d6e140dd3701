import assert from "node:assert/strict";
import type { Forwarder } from "../../../lib/kernel/forwarder.ts";
import { Planes } from "../../../lib/planes.ts";
import type { Workers } from "../../../lib/workers.ts";
import { forwarded } from "../../support/kernel.ts";
import { table } from "../../support/members.ts";

/** Both planes as names of what they were told, in order; `broken` can't serve. */
function setUp(broken = "") {
  const told: string[] = [];
  const plane = (name: string) =>
    new Proxy({ isolates: 2, version: 7, upToDate: true, seen: () => 7 }, {
      get: (facts, verb) =>
        Reflect.get(facts, verb) ?? ((subject: unknown) => {
          told.push(
            `${name} ${String(verb)} ${(subject as { name?: string })?.name ?? subject ?? ""}`
              .trim(),
          );
          return verb === "serve" && name === broken ? Promise.reject(new Error("no")) : 7;
        }),
    });
  const kernel = plane("kernel") as unknown as Forwarder & { upToDate: boolean };
  const planes = new Planes(plane("workers") as unknown as Workers, kernel);
  return { planes, told, kernel };
}

const user = () => forwarded({ forward: undefined });

Deno.test("Planes tells both of pools, and of a server whose it is", async () => {
  const { planes, told } = setUp();
  assert.equal(planes.setPool(table("weight", [])), 7);
  await planes.serve(forwarded());
  await planes.serve({ ...user(), name: "other" });
  planes.cut([1], true);
  await planes.stop("web", true);
  await planes.stop("other", false);
  assert.equal(planes.forgetPool("pool"), 7);
  assert.deepEqual(told, [
    ...["kernel setPool pool", "workers setPool pool", "kernel serve web", "workers serve other"],
    ...["workers cut 1", "kernel cut 1", "kernel stop web", "workers stop other"],
    ...["kernel forgetPool pool", "workers forgetPool pool"],
  ]);
});

Deno.test("Planes lets the new one serve before the old one stops, both ways", async () => {
  const { planes, told } = setUp();
  await planes.serve(user());
  await planes.serve(forwarded());
  await planes.serve(forwarded());
  await planes.serve(user());
  assert.deepEqual(told, [
    ...["workers serve web", "kernel serve web", "workers stop web", "kernel serve web"],
    ...["workers serve web", "kernel stop web"],
  ]);
});

Deno.test("Planes leaves a server where it is when the other plane can't serve it", async () => {
  const { planes, told } = setUp("kernel");
  await planes.serve(user());
  await assert.rejects(planes.serve(forwarded()), /no/);
  await planes.stop("web", false);
  assert.deepEqual(told, ["workers serve web", "kernel serve web", "workers stop web"]);
});

Deno.test("Planes frees no slot while the kernel still counts for tables of before", () => {
  const { planes, kernel } = setUp();
  assert.equal(planes.seen(), 7);
  Reflect.set(kernel, "upToDate", false);
  assert(planes.seen() < 7);
});
