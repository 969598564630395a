/**
 * A path as it is typed in a shell, for commands that a message shows.
 * Refuses to know: shells other than those of POSIX. Invariant: a shell reads it back as the very same text.
 */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
