/** Reading what may be longer than anybody wants. */

/** Largest configuration: one of a thousand servers has some 200 KB. */
export const MAX_BYTES: number = 8 * 1024 * 1024;

/** All bytes of a stream, which may have no size before it ends; undefined when there are more than `maxBytes`. */
export async function readUpTo(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  for await (const chunk of stream) { // leaving it cancels the stream
    chunks.push(chunk);
    if ((bytes += chunk.length) > maxBytes) return undefined;
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
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
