/**
 * What the command line prints: results to stdout, everything about them to stderr.
 */
import { MicrogptError } from '../base/errors.js';

export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

export function note(sentence: string): void {
  say(`note: ${sentence}`);
}

export function result(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Prints an error in its form and returns the exit code. Only our own bugs show a stack. */
export function complain(error: unknown): number {
  if (error instanceof MicrogptError) {
    say(`error ${error.code}: ${error.message}\n  → ${error.remedy}`);
    return error.exitCode;
  }
  say(`error: this is a bug in microgpt, please report it\n${error instanceof Error ? error.stack : String(error)}`);
  return 1;
}

export const count = (n: number): string => n.toLocaleString('en');

export function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} KB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** 0:07, 12:34, 1:02:03 */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
