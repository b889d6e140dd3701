/** What the reference says that no schema can. */

/** Before the contents. */
export const HEAD = `# Reference

Every section, key and kind of a configuration. This page is made from the schemas that a
configuration is judged by: \`deno task reference\` writes it. What is true of all kinds, and what
their keys don't say, stands in [kinds.md](kinds.md).`;

/** How values are written. */
export const VALUES =
  `Examples are TOML; JSON says the same with the same names. Names of keys match in any case, and an
unknown key is an error (\`--lenient\` makes it a warning). \`NAME\` is yours to choose.
Limits on sessions are looked at every 100 ms.

| value | written as |
| --- | --- |
| duration | a text with numbers and units, \`ns\` to \`h\`: \`"250ms"\`, \`"10s"\`, \`"1m30s"\`; a bare \`"0"\` |
| size | bytes as a number, or a text: \`"64KiB"\`, \`"1MiB"\` |
| whole number | \`10\`, without quotes |
| address and port | \`":3000"\`, \`"127.0.0.1:3000"\`, \`"[::1]:3000"\` |
| address | \`"10.0.0.1"\` or \`"2001:db8::1"\` |
| network | \`"10.0.0.0/8"\`, or a single address |
| backend | \`"host:port"\`, then any of \`weight=1 priority=1 max_connections=0 sni=NAME\` |
| pattern | a regular expression in [RE2's syntax](https://github.com/google/re2/wiki/Syntax), which is Go's |
| path | the names on the way to a value in JSON, as in \`"address.host"\` |
| list, table | \`["a", "b"]\`, \`{ "X-Name" = "value" }\` |`;
