import { KilledError, type RunProgram } from "./program.ts";

/** Kills everybody in the sessions that its arguments name. */
const SCRIPT = `
sessions=" $* "
for stat in /proc/[0-9]*/stat; do
  read -r line 2>/dev/null <"$stat" || continue
  rest=\${line##*) } # state, parent, group, session
  rest=\${rest#* * * }
  case "$sessions" in *" \${rest%% *} "*) ;; *) continue ;; esac
  stat=\${stat#/proc/}
  kill -9 "\${stat%/stat}" 2>/dev/null
done
`;

/**
 * As `run`, but of a program that was killed those are killed, too, who have left its process group and not its session,
 * as `timeout` does in a script. One look through all processes serves all programs that were killed meanwhile.
 */
export function endSessions(run: RunProgram): RunProgram {
  let ended: number[] = [];
  let looking = false;
  const look = async () => {
    looking = true;
    while (ended.length > 0) {
      const sessions = ended.map(String);
      ended = [];
      const command = new Deno.Command("sh", {
        args: ["-c", SCRIPT, "sh", ...sessions],
        ...{ stdin: "null", stdout: "null", stderr: "null" },
      });
      await command.output().catch(() => {}); // no shell, or no place for one: who has left stays
    }
    looking = false;
  };
  return async (argv, signal, options) => {
    try {
      return await run(argv, signal, options);
    } catch (error) {
      if (error instanceof KilledError) {
        ended.push(error.session);
        if (!looking) void look();
      }
      throw error;
    }
  };
}
