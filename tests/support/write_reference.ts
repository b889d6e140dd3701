/** `deno task reference`: writes docs/reference.md anew. */
import { reference, REFERENCE_FILE } from "./reference.ts";

await Deno.writeTextFile(REFERENCE_FILE, reference());
console.log(`${REFERENCE_FILE} written`);
