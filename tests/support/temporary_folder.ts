/** A folder for a test's files; it goes with all that is in it when it is disposed. */
export class TemporaryFolder implements AsyncDisposable {
  readonly path: string = Deno.makeTempDirSync({ prefix: "twixt-test-" });

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.path, { recursive: true });
  }
}
