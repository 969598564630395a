/**
 * The catalogues of errors and warnings as a page of documentation.
 */
import { ERRORS } from './errors.js';
import { WARNINGS } from './warnings.js';

export function errorPage(): string {
  const rows = Object.entries(ERRORS).map(([code, { exit, about }]) => `| \`${code}\` | ${exit} | ${about} |`);
  const warnings = Object.entries(WARNINGS).map(([code, about]) => `| \`${code}\` | ${about} |`);
  return `# Errors

Every refusal prints \`error CODE: what is wrong\` and \`→ what to do\` on stderr; nothing is left half-written.
In the library it is a \`MicrogptError\` with \`code\`, \`message\`, \`remedy\` and \`exitCode\`.

Exit codes: 0 done · 1 a bug of ours · 2 usage · 3 bad data or model · 4 disk, permission or network · 5 training diverged · 129, 130 and 143 stopped by a signal (the terminal closed, Ctrl-C, SIGTERM).

| code | exit | what it stands for |
|---|---|---|
${rows.join('\n')}

## Warnings

Training goes on; each prints \`warning CODE: what was seen\` and \`→ what to do\` on stderr, and is an event of type \`warning\` in the library.

| code | what it stands for |
|---|---|
${warnings.join('\n')}
`;
}
