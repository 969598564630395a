/**
 * Functions of system libraries, called through koffi: an optional dependency, loaded when somebody asks for a library and not before.
 * Knows no library. Invariant: what cannot be loaded comes back as a sentence that says what was tried, not as an exception.
 */

/** As far as it is used here; koffi's own types are there only where koffi is. */
export interface Foreign {
  load(path: string): Library;
}

export interface Library {
  /** From a C prototype. */
  func(prototype: string): (...args: never[]) => unknown;
  /** The address of a variable. */
  symbol(name: string): unknown;
}

/** What was looked for, or in words what is missing. */
export type Found<T> = { readonly found: T } | { readonly missing: string };

const PACKAGE: string = 'koffi';

export async function loadForeign(name: string = PACKAGE): Promise<Found<Foreign>> {
  try {
    const module = (await import(name)) as { readonly default: Foreign };
    return { found: module.default };
  } catch (error) {
    const isThere = (error as { readonly code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND';
    const why = isThere ? `cannot be loaded (${firstLine(error)})` : 'is not installed';
    return { missing: `the package ${name} ${why}; npm install ${name}` };
  }
}

/** The first of several libraries that loads. */
export function firstLibrary(
  foreign: Foreign,
  names: readonly string[],
): Found<{ readonly library: Library; readonly name: string }> {
  const reasons: string[] = [];
  for (const name of names) {
    try {
      return { found: { library: foreign.load(name), name } };
    } catch (error) {
      reasons.push(firstLine(error));
    }
  }
  return { missing: `none of ${names.join(', ')} can be loaded (${reasons[0] ?? 'no names'})` };
}

export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
