/** The value of an `Authorization` header for `login:password` (RFC 7617, in UTF-8). */
export function basicAuth(credentials: string): string {
  return `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(credentials)))}`;
}

/** The same for the login in a URL, as it was meant; undefined where there is none. */
export function loginOf({ username, password }: URL): string | undefined {
  return username + password === ""
    ? undefined
    : basicAuth(`${decoded(username)}:${decoded(password)}`);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // URIError: a % that encodes nothing
  }
}
