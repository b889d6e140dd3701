/** Reading what may be longer than anybody wants. */
import { GrowingBytes } from "../growing_bytes.ts";

/** Largest configuration: one of a thousand servers has some 200 KB. */
export const MAX_BYTES: number = 8 * 1024 * 1024;

/** All bytes of a stream, which may have no size before it ends; undefined when there are more than `maxBytes`. */
export async function readUpTo(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new GrowingBytes();
  for await (const chunk of stream) { // leaving it cancels the stream
    if (bytes.length + chunk.length > maxBytes) return undefined;
    bytes.add(chunk);
  }
  return bytes.bytes();
}

/** The text of bytes; undefined where they aren't UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch { // TypeError
    return undefined;
  }
}

/** The format of a text: as told, else by the extension of its name, else `otherwise`. */
export function formatOf(
  told: "toml" | "json" | undefined,
  name: string,
  otherwise: "toml" | "json" = "toml",
): "toml" | "json" {
  if (told !== undefined) return told;
  return /\.json$/i.test(name) ? "json" : /\.toml$/i.test(name) ? "toml" : otherwise;
}
