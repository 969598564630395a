// How a refusal is told from a bug.
import { MicrogptError } from '../src/base/errors.js';

/** The code of the refusal, or 'none'; anything else that is thrown is a bug and goes on. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MicrogptError) return error.code;
    throw error;
  }
  return 'none';
}
