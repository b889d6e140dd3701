/** Rows as columns with equal widths, those from `left` to before `right` to the right, the others to the left. */
export function printTable(
  rows: readonly (readonly string[])[],
  left = 2,
  right = Infinity,
): string {
  const count = Math.max(...rows.map((row) => row.length));
  const widths = Array.from(
    { length: count },
    (_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lines = rows.map((row) =>
    row.map((cell, column) =>
      column < left || column >= right
        ? cell.padEnd(widths[column]!)
        : cell.padStart(widths[column]!)
    ).join("  ").trimEnd()
  );
  return `${lines.join("\n")}\n`;
}
