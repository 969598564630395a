/**
 * A strict JSON reader for files from outside, and a writer that lays text out as Python's json.dump does.
 * Where JSON.parse is silent, this reader refuses: duplicate keys, names that reach into JavaScript's prototypes, deep nesting.
 * Python's NaN, Infinity and -Infinity are read as numbers; whoever needs finite ones says so with the place.
 * Invariant: objects come back as Maps, so no name can touch a prototype.
 */
import { count } from './count.js';
import { type ErrorCode, MicrogptError } from './errors.js';
import { LIMITS } from './limits.js';

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

const [MINUS, PLUS, POINT, ZERO, CAPITAL_I] = [0x2d, 0x2b, 0x2e, 0x30, 0x49];
const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);

const WHOLE = 'use a file that is whole and unchanged';
/** Files that people write themselves. */
const BY_HAND: Readonly<Partial<Record<ErrorCode, string>>> = {
  MG_CLI_SCENARIO: 'it has to be JSON: correct it there; docs/training.md shows a scenario',
  MG_SWEEP_INVALID: 'it has to be JSON: correct it there; microgpt sweep --help shows a file',
};

/** @throws `code` with the offset, in characters, of what is wrong in `source`; `nameCode` for names that are not allowed. */
export function parseJson(text: string, source: string, code: ErrorCode, nameCode: ErrorCode = code): Json {
  let at = 0;

  function fail(what: string, as: ErrorCode = code): never {
    throw new MicrogptError(as, `${source}: ${what} at offset ${count(at)}`, BY_HAND[as] ?? WHOLE);
  }

  function skipSpace(): void {
    for (;;) {
      const c = text.charCodeAt(at);
      if (c !== 32 && c !== 10 && c !== 13 && c !== 9) return;
      at++;
    }
  }

  function found(): string {
    return at >= text.length
      ? 'the file ends'
      : `unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))}`;
  }

  /** By hand and not by a regular expression: nearly all of a model file is numbers, and so they take half the time. */
  function number(): number {
    const start = at;
    let c = text.charCodeAt(at);
    if (c === MINUS) c = text.charCodeAt(++at);
    if (c === CAPITAL_I) return word('Infinity', at === start ? Infinity : -Infinity);
    if (c === ZERO) c = text.charCodeAt(++at);
    else c = digits(c);
    if (c === POINT) c = digits(text.charCodeAt(++at));
    if (c === 0x65 || c === 0x45) {
      c = text.charCodeAt(++at);
      digits(c === MINUS || c === PLUS ? text.charCodeAt(++at) : c);
    }
    return Number(text.slice(start, at));
  }

  /** Goes over one digit or more, the first of which is `c`; gives what comes after. */
  function digits(c: number): number {
    if (!isDigit(c)) fail(found());
    let next = c;
    while (isDigit(next)) next = text.charCodeAt(++at);
    return next;
  }

  function string(): string {
    const start = at++;
    let plain = true;
    for (; text[at] !== '"'; at++) {
      if (at >= text.length) fail('a string that does not end');
      if (text.charCodeAt(at) < 32) fail('a line break or control character in a string');
      if (text[at] === '\\') {
        plain = false;
        at++;
      }
    }
    at++;
    if (plain) return text.slice(start + 1, at - 1);
    try {
      return JSON.parse(text.slice(start, at)) as string;
    } catch {
      return fail('a wrong escape in the string before');
    }
  }

  function array(depth: number): Json[] {
    const out: Json[] = [];
    at++;
    skipSpace();
    if (text[at] === ']') {
      at++;
      return out;
    }
    for (;;) {
      out.push(value(depth));
      skipSpace();
      const c = text[at];
      if (c !== ',' && c !== ']') fail(`${found()}, expected , or ] of a list`);
      at++;
      if (c === ']') return out;
    }
  }

  function object(depth: number): JsonObject {
    const out = new Map<string, Json>();
    at++;
    skipSpace();
    if (text[at] === '}') {
      at++;
      return out;
    }
    for (;;) {
      skipSpace();
      if (text[at] !== '"') fail(`${found()}, expected a name`);
      const name = string();
      if (FORBIDDEN.has(name)) fail(`the name ${JSON.stringify(name)} is not allowed,`, nameCode);
      if (out.has(name)) fail(`the name ${JSON.stringify(name)} stands twice,`);
      skipSpace();
      if (text[at] !== ':') fail(`${found()}, expected : after ${JSON.stringify(name)}`);
      at++;
      out.set(name, value(depth));
      skipSpace();
      const c = text[at];
      if (c !== ',' && c !== '}') fail(`${found()}, expected , or } of an object`);
      at++;
      if (c === '}') return out;
    }
  }

  function value(depth: number): Json {
    skipSpace();
    switch (text[at]) {
      case '{':
      case '[':
        if (depth >= LIMITS.jsonDepth) fail(`nested more than ${LIMITS.jsonDepth} deep`);
        return text[at] === '{' ? object(depth + 1) : array(depth + 1);
      case '"':
        return string();
      case 't':
        return word('true', true);
      case 'f':
        return word('false', false);
      case 'n':
        return word('null', null);
      case 'N':
        return word('NaN', Number.NaN);
      default:
        return number();
    }
  }

  function word<T>(letters: string, meaning: T): T {
    if (!text.startsWith(letters, at)) fail(found());
    at += letters.length;
    return meaning;
  }

  const result = value(0);
  skipSpace();
  if (at < text.length) fail(`${found()} after the end`);
  return result;
}

/** What Python's json.dump writes: integers from plain numbers, floats from the elements of a Float64Array. */
export type PythonValue =
  | number
  | string
  | boolean
  | null
  | Float64Array
  | readonly PythonValue[]
  | { readonly [name: string]: PythonValue };

/** json.dumps(value) with its default layout, or with indent=0: every element on a line of its own. */
export function pythonDumps(value: PythonValue, layout: 'line' | 'indent0'): string {
  const [open, comma, close] = layout === 'line' ? ['', ', ', ''] : ['\n', ',\n', '\n'];
  const wrap = (start: string, items: string[], end: string) =>
    items.length === 0 ? start + end : start + open + items.join(comma) + close + end;
  const dump = (x: PythonValue): string => {
    if (x === null) return 'null';
    if (typeof x === 'string') return pythonString(x);
    if (typeof x !== 'object') return String(x);
    if (x instanceof Float64Array) return wrap('[', Array.from(x, pythonFloat), ']');
    if (isList(x)) return wrap('[', x.map(dump), ']');
    return wrap(
      '{',
      Object.entries(x).map(([name, y]) => `${pythonString(name)}: ${dump(y)}`),
      '}',
    );
  };
  return dump(value);
}

function isList(x: PythonValue): x is readonly PythonValue[] {
  return Array.isArray(x);
}

/** repr() of a Python float: the shortest digits that read back to the same number. */
export function pythonFloat(x: number): string {
  if (Number.isNaN(x)) return 'NaN';
  if (!Number.isFinite(x)) return x > 0 ? 'Infinity' : '-Infinity';
  if (Object.is(x, -0)) return '-0.0';
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits, exponent] = x.toExponential().split('e') as [string, string];
    return `${digits}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
  }
  return Number.isInteger(x) ? `${x}.0` : String(x);
}

/** A float as the Rust system's serde_json writes it: the digits of Python, the exponent without a plus and without leading zeros. */
export function rustFloat(x: number): string {
  return pythonFloat(x).replace(/e([+-]?)0?/, (_, sign: string) => `e${sign === '-' ? sign : ''}`);
}

/** A string as Python writes it: all but printable ASCII escaped. */
function pythonString(s: string): string {
  return JSON.stringify(s).replace(/[\u007f-\uffff]/g, (c) =>
    c === '\u007f' ? c : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
