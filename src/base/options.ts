/**
 * The names of options, checked where types do not reach: in JavaScript, in JSON, behind a cast.
 * Refuses to know: what an option means. Invariant: a misspelled option is refused; it never leaves its default in place without a word.
 */
import { MicrogptError } from './errors.js';

/** Every option of a call, kept whole by its type: one that is missing here does not compile. */
export type OptionNames<T> = Readonly<Record<keyof T, true>>;

export function refuse(name: string, value: unknown, expected: string): never {
  throw new MicrogptError(
    'MG_OPTION_VALUE',
    `${name} is ${typeof value === 'string' ? JSON.stringify(value) : String(value)}, expected ${expected}`,
    `give ${name} ${expected}`,
  );
}

/** Whether all names of these options are known. @throws MG_OPTION_VALUE */
export function requireNames(call: string, options: object, names: Readonly<Record<string, true>>): void {
  if (typeof options !== 'object' || options === null) refuse(`what ${call} is given`, options, 'an object of options');
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(names, name)) continue;
    throw new MicrogptError(
      'MG_OPTION_VALUE',
      `${call} has no option ${JSON.stringify(name)}`,
      `choose from ${Object.keys(names).join(', ')}`,
    );
  }
}
