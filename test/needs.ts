// What a test needs and may not have: the full tier, a browser, a package, a system. The title of what is skipped says why, and under
// CI=true a thing that is missing is a failure, because there everything is meant to be installed.
import { describe, test } from 'vitest';
import { FULL } from './golden.js';

const CI = process.env['CI'] === 'true';

/** In the place of tests that cannot run here. */
export function cannotRun(title: string, why: string): void {
  if (!CI) test.skip(`${title} (skipped: ${why})`, () => {});
  else
    test(title, () => {
      throw new Error(`${title}: ${why}`);
    });
}

/** Tests that need something; `missing` says what of it is not there, in words. */
export function describeWith(missing: string | null, title: string, run: () => void): void {
  if (missing === null) describe(title, run);
  else cannotRun(title, missing);
}

/** The same for one test. `timeout` in ms. */
export function testWith(
  missing: string | null,
  title: string,
  run: () => Promise<void> | void,
  timeout?: number,
): void {
  if (missing === null) test(title, { ...(timeout === undefined ? {} : { timeout }) }, run);
  else cannotRun(title, missing);
}

/** Tests of the full tier alone. */
export function describeFull(title: string, run: () => void): void {
  if (FULL) describe(title, run);
  else describe.skip(`${title} (skipped: full tier)`, run);
}

/** Tests of the full tier alone that need something too. */
export function describeFullWith(missing: string | null, title: string, run: () => void): void {
  if (FULL) describeWith(missing, title, run);
  else describeFull(title, run);
}

export function testFull(title: string, run: () => Promise<void> | void, timeout?: number): void {
  testFullWith(null, title, run, timeout);
}

export function testFullWith(
  missing: string | null,
  title: string,
  run: () => Promise<void> | void,
  timeout?: number,
): void {
  if (FULL) testWith(missing, title, run, timeout);
  else test.skip(`${title} (skipped: full tier)`, run);
}

/** A test of something that only one system has, or that one system lacks: no failure anywhere else. */
export function testOn(system: 'Linux' | 'Unix', title: string, run: () => Promise<void> | void): void {
  const fits = system === 'Linux' ? process.platform === 'linux' : process.platform !== 'win32';
  if (fits) test(title, run);
  else test.skip(`${title} (skipped: needs ${system})`, run);
}
