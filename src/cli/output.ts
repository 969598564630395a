/**
 * What the command line prints: results to stdout, everything about them to stderr.
 */
export { count, counted } from '../base/count.js';

import { MicrogptError } from '../base/errors.js';
import { written } from './values.js';

let silent = false;

/** From now on nothing about the work is printed, because another process prints the same. */
export function silence(now = true): void {
  silent = now;
}

let worksOn = false;

/** From now on the work matters more than who reads about it: a reader of stdout who leaves does not end the process. */
export function workOnUnread(): void {
  worksOn = true;
}

export const worksOnUnread = (): boolean => worksOn;

let sink: ((text: string) => void) | null = null;

/** From now on everything that is printed goes to `write`, until null is given: to the log of one of several works in this process. */
export function divert(write: ((text: string) => void) | null): void {
  sink = write;
}

/** Where lines about the work appear. A terminal that can only append is none: a line on it is not rewritten. */
export const screen = {
  get isTTY(): boolean {
    return sink === null && process.stderr.isTTY === true && !isDumb();
  },
  get columns(): number {
    return process.stderr.columns ?? 80;
  },
  write(text: string): void {
    if (sink !== null) sink(text);
    else if (!silent) process.stderr.write(text);
  },
};

/** TERM=dumb: the terminals of some editors and logs, which show control sequences as rubbish. */
export const isDumb = (): boolean => process.env['TERM'] === 'dumb';

/** A line about the work, on stderr. */
export function say(line: string): void {
  screen.write(`${line}\n`);
}

/** A line about all works of this process, while what one of them prints goes elsewhere. */
export function sayAside(line: string): void {
  if (!silent) process.stderr.write(`${line}\n`);
}

/** Something the user did not say and should know. */
export function note(sentence: string): void {
  say(`note: ${sentence}`);
}

/** A flag that changes nothing beside the others: said, so that nobody believes that it did. */
export function unused(flag: string, because: string): void {
  note(`${flag} is not used: ${because}`);
}

/** A line of the result. On a terminal, characters that could command it are shown as \\u escapes; elsewhere text stays as it is. */
export function result(line: string): void {
  if (sink !== null) sink(`${line}\n`);
  else process.stdout.write(`${process.stdout.isTTY ? printable(line) : line}\n`);
}

/** Control characters as \\u escapes. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The same, but line ends and tabs stay: for text that may have several lines. */
export function harmless(text: string): string {
  return text.replace(/[^\P{Cc}\n\t]/gu, printable);
}

/** Options of the library, as the errors that it throws about them call them. */
const OPTIONS =
  /"(?:[^"\\]|\\.)*"|\b(?:nEmbd|nHead|nLayer|blockSize|batchSize|minLength|maxLength|startsWith|endsWith|stopTokens|notInTraining|maxTokens)\b/g;
const ABOUT_OPTIONS: readonly string[] = ['MG_CONFIG_INVALID', 'MG_OPTION_VALUE', 'MG_GEN_IMPOSSIBLE'];

/** With the names that are typed here. What stands in quotes was given by the user, and stays. */
function inFlags(text: string): string {
  return text.replace(OPTIONS, (name) => {
    if (name.startsWith('"')) return name;
    return name === 'stopTokens' ? '--stop-token' : written(name);
  });
}

/** Prints an error in its form and returns the exit code. Only our own bugs show a stack. */
export function complain(error: unknown): number {
  if (error instanceof MicrogptError) {
    const spoken = ABOUT_OPTIONS.includes(error.code) ? inFlags : (text: string) => text;
    say(`error ${error.code}: ${printable(spoken(error.message))}\n  → ${harmless(spoken(error.remedy))}`);
    return error.exitCode;
  }
  say(`error: this is a bug in microgpt, please report it\n${error instanceof Error ? error.stack : String(error)}`);
  return 1;
}

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(1)} KB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** 0:07, 12:34, 1:02:03 */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
