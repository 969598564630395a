/**
 * Flags: their values checked, with the flag's name in the complaint, and the names that earlier systems gave them.
 */
import { type Command, Option } from 'commander';
import { MicrogptError } from '../base/errors.js';

function bad(flag: string, value: string, expected: string): MicrogptError {
  return new MicrogptError(
    'MG_CLI_VALUE',
    `${flag} is ${JSON.stringify(value)}, expected ${expected}`,
    `give ${flag} ${expected}`,
  );
}

/** A whole number from `least` to `most`. */
export function whole(flag: string, least: number, most = Number.MAX_SAFE_INTEGER): (value: string) => number {
  const range =
    most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `a whole number from ${least} to ${most}`;
  return (value) => {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most)) throw bad(flag, value, range);
    return number;
  };
}

/** A seed of up to 64 bits, exact beyond 2^53. */
export function seed(flag: string): (value: string) => bigint {
  return (value) => {
    if (!/^\d{1,20}$/.test(value) || BigInt(value) >= 2n ** 64n)
      throw bad(flag, value, 'a whole number from 0 to 2^64 - 1');
    return BigInt(value);
  };
}

/** A decimal number from `least` (or above it, when `open`) to `most`. */
export function decimal(flag: string, least: number, most: number, open = false): (value: string) => number {
  const range = `a number ${open ? 'above' : 'from'} ${least}${open ? ' and up' : ''} to ${most}`;
  return (value) => {
    const number = /^\d*\.?\d+(e[+-]?\d+)?$|^\d+\.$/i.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most) || (open && number === least)) throw bad(flag, value, range);
    return number;
  };
}

/** A length of time in seconds: 90, 90s, 1.5m, 2h. */
export function seconds(flag: string): (value: string) => number {
  const units = { '': 1, s: 1, m: 60, h: 3600 } as const;
  return (value) => {
    const match = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(value);
    const time = match === null ? 0 : Number(match[1]) * units[match[2] as keyof typeof units];
    if (!(time >= 0.1 && time <= 30 * 86_400)) throw bad(flag, value, 'a time such as 60s, 10m or 2h');
    return time;
  };
}

/** The path of a file, which cannot be empty. */
export function path(flag: string): (value: string) => string {
  return (value) => {
    if (value === '' || value.includes('\0')) throw bad(flag, value, 'a path');
    return value;
  };
}

/** An address to download from. */
export function webAddress(flag: string): (value: string) => string {
  return (value) => {
    if (!/^https?:\/\/[^/]/.test(value) || !URL.canParse(value)) throw bad(flag, value, 'an http or https address');
    return value;
  };
}

/** One of a few words. */
export function oneOf<T extends string>(flag: string, choices: readonly T[]): (value: string) => T {
  return (value) => {
    const choice = choices.find((c) => c === value);
    if (choice === undefined) throw bad(flag, value, choices.join(', '));
    return choice;
  };
}

/** Several values with commas between them, each once. */
export function list<T>(flag: string, one: (flag: string) => (value: string) => T): (value: string) => readonly T[] {
  return (value) => [...new Set(value.split(',').map((part) => one(flag)(part.trim())))];
}

/** The name of an attribute as its flag is typed: sanityTop is --sanity-top. */
export const written = (name: string): string => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/** The one of two ways to say the same. @throws MG_CLI_USAGE when they say different things */
export function eitherOf<T>(one: string, first: T | undefined, other: string, second: T | undefined): T | undefined {
  if (first !== undefined && second !== undefined && first !== second) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `${one} is ${JSON.stringify(first)} and ${other} is ${JSON.stringify(second)}, and both mean the same thing`,
      'leave one of them out',
    );
  }
  return first ?? second;
}

/** Lets an option also be given by another name, which --help does not show. */
export function alias(command: Command, name: string, long: string): void {
  const option = command.options.find((o) => o.long === name);
  if (option === undefined) throw new Error(`${name} is not an option here`);
  const hidden = new Option(`${long} <value>`).hideHelp();
  if (option.parseArg) hidden.argParser(option.parseArg as (value: string) => unknown);
  command.addOption(hidden);
  command.on(`option:${long.replace(/^--/, '')}`, (value: string) => {
    command.setOptionValue(option.attributeName(), option.parseArg ? option.parseArg(value, undefined) : value);
  });
}
