/**
 * A request that is refused: a status, a sentence, and what a program can go by, in the shape of the OpenAI API.
 * Invariant: what is said of an error that is our own fault is that and no more; its text and its stack go to the log alone.
 */
import { MicrogptError } from '../base/errors.js';

export interface RefusalDetail {
  /** The field of the request that is wrong. */
  readonly param?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export type RefusalStatus = 400 | 401 | 403 | 404 | 405 | 408 | 413 | 415 | 429 | 431 | 500 | 503;

const TYPES: Partial<Record<RefusalStatus, string>> = {
  401: 'authentication_error',
  403: 'permission_error',
  429: 'rate_limit_error',
  500: 'server_error',
  503: 'server_error',
};

export class Refusal extends Error {
  readonly status: RefusalStatus;
  /** Stable, for programs. */
  readonly code: string;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: RefusalStatus, code: string, message: string, { param, headers = {} }: RefusalDetail = {}) {
    super(message);
    this.name = 'Refusal';
    this.status = status;
    this.code = code;
    this.param = param ?? null;
    this.headers = headers;
  }
}

/** The body of the OpenAI API for it. */
export function errorBody({ status, code, message, param }: Refusal) {
  return { error: { message, type: TYPES[status] ?? 'invalid_request_error', param, code } };
}

export const overloaded = (message: string, seconds = 1): Refusal =>
  new Refusal(503, 'overloaded', message, { headers: { 'retry-after': String(seconds) } });

export const badValue = (param: string, message: string): Refusal =>
  new Refusal(400, 'invalid_value', message, { param });

/** Errors of the engine that are the asker's to mend. */
const ASKED_WRONG: Readonly<Record<string, string>> = {
  MG_OPTION_VALUE: 'invalid_value',
  MG_GEN_PATTERN: 'invalid_pattern',
  MG_GEN_IMPOSSIBLE: 'impossible',
  MG_CHAT_MODEL: 'chat_not_supported',
};

/** Any error as a refusal; what is nobody's but ours is a 500. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof MicrogptError) {
    const code = ASKED_WRONG[error.code];
    if (code !== undefined) {
      const param = code === 'invalid_pattern' ? 'guided_regex' : undefined; // the only pattern that is asked for
      return new Refusal(400, code, `${error.message}: ${error.remedy}`, { param });
    }
    if (error.code === 'MG_SERVE_LOST') return overloaded(error.message);
  }
  return new Refusal(500, 'internal_error', 'something went wrong in the server; the log says more');
}
