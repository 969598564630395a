/**
 * The program of same-bits.ts as a module Worker of a page. Gets the names, models and a thread count; answers with the outcomes and,
 * when there are fewer threads than asked for, why.
 */
import { browserThreads } from '../../dist/browser/threads.js';
import { type ModelName, type Outcome, sameBits } from './same-bits.js';

export interface Question {
  readonly names: readonly string[];
  /** One after the other, with the same threads. */
  readonly models: readonly ModelName[];
  readonly threads: number;
  readonly askers?: number;
}

export type Answer =
  | { readonly outcomes: readonly Outcome[]; readonly why: readonly string[] }
  | { readonly error: string };

interface Scope {
  onmessage: (event: { readonly data: Question }) => void;
  postMessage(answer: Answer): void;
}

const scope = globalThis as unknown as Scope;

scope.onmessage = async ({ data }) => {
  try {
    const why: string[] = [];
    const threads = await browserThreads(data.threads, (reason) => why.push(reason));
    const outcomes: Outcome[] = [];
    for (const model of data.models) outcomes.push(await sameBits(model, data.names, { threads, askers: data.askers }));
    threads?.close();
    scope.postMessage({ outcomes, why });
  } catch (error) {
    scope.postMessage({ error: error instanceof Error ? `${error.stack}` : String(error) });
  }
};
