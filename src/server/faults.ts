/**
 * Answers as a test wants them: errors, waits, slow tokens, a cut in the middle, texts by rule; and a record of what was asked.
 * Refuses to know: routes. Invariant: without rules, and without the header being allowed, nothing here changes an answer.
 */
import { MicrogptError } from '../base/errors.js';
import { type OptionNames, requireNames } from '../base/options.js';
import type { Compute } from '../engine/compute.js';
import type { SampleEvent } from '../engine/samples.js';
import type { Plain } from './body.js';
import { badValue, Refusal, type RefusalStatus } from './refusal.js';
import { ClientGone, CutShort } from './sse.js';
import { UNKNOWN } from './writing.js';

/** What is done to an answer. */
export interface Fault {
  /** Refuse with this status: 400, 401, 403, 404, 408, 429, 500 or 503. */
  readonly status?: number | undefined;
  /** Seconds to say with a refusal. */
  readonly retryAfter?: number | undefined;
  /** Milliseconds to wait before anything. */
  readonly delay?: number | undefined;
  /** Never answer; the client has to give up. */
  readonly hang?: boolean | undefined;
  /** Milliseconds before each chunk of a stream; without streaming, before the answer for each token. */
  readonly slow?: number | undefined;
  /** Cut the connection after so many chunks; without streaming, in the middle of the answer. */
  readonly cut?: number | undefined;
  /** Write this in the place of what the model would. */
  readonly reply?: string | undefined;
}

/** A fault for the requests that fit all that is given. The first rule that fits counts. */
export interface Rule extends Fault {
  /** The path, such as /v1/chat/completions. */
  readonly path?: string | undefined;
  readonly model?: string | undefined;
  /** Text that the prompt, or the last message, holds. */
  readonly contains?: string | undefined;
  /** How often the rule counts; always if left out. */
  readonly times?: number | undefined;
}

/** What was asked, in order. */
export interface RecordedRequest {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  /** Without keys. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Plain;
}

export const FAULT_HEADER = 'x-microgpt-fault';

const STATUSES: Readonly<Record<number, string>> = {
  400: 'invalid_value',
  401: 'invalid_api_key',
  403: 'permission_denied',
  404: 'not_found',
  408: 'timeout',
  429: 'rate_limit_exceeded',
  500: 'internal_error',
  503: 'overloaded',
};

const MOST_MS = 600_000;

export interface Faults {
  /** Whether any request may get one. */
  readonly any: boolean;
  /** What to do to this request. @throws Refusal 400 when the header cannot be read */
  faultFor(request: Request, path: string, body: Plain): Fault | null;
}

export function createFaults(rules: readonly Rule[], byHeader: boolean): Faults {
  const left = rules.map((rule) => rule.times ?? Number.POSITIVE_INFINITY);
  return {
    any: byHeader || rules.length > 0,
    faultFor(request, path, body) {
      const header = request.headers.get(FAULT_HEADER);
      if (byHeader && header !== null) return parseFault(header);
      const at = rules.findIndex((rule, i) => left[i] > 0 && fits(rule, path, body));
      if (at < 0) return null;
      left[at]--;
      return rules[at];
    },
  };
}

function fits({ path, model, contains }: Rule, asked: string, body: Plain): boolean {
  const fields =
    typeof body === 'object' && body !== null && !Array.isArray(body) ? (body as Record<string, Plain>) : {};
  if (path !== undefined && path !== asked) return false;
  if (model !== undefined && model !== fields['model']) return false;
  return contains === undefined || textOf(fields).includes(contains);
}

/** The prompt, or the last message. */
function textOf(fields: Readonly<Record<string, Plain>>): string {
  const { prompt, messages } = fields;
  if (Array.isArray(messages)) {
    const last = messages.at(-1) as { readonly content?: Plain } | undefined;
    return typeof last?.content === 'string' ? last.content : JSON.stringify(last?.content ?? '');
  }
  return typeof prompt === 'string' ? prompt : JSON.stringify(prompt ?? '');
}

/** "status=429; retry-after=2", "delay=500; slow=20; cut=3", "hang", "reply=hello". @throws Refusal 400 */
function parseFault(header: string): Fault {
  const fault: Record<string, number | boolean | string> = {};
  for (const part of header.split(';')) {
    const [, name, value] = /^\s*([a-z-]+)(?:=(.*?))?\s*$/.exec(part) ?? [];
    if (name === 'hang' && value === undefined) fault['hang'] = true;
    else if (name === 'reply' && value !== undefined) fault['reply'] = decodeText(value);
    else if (name === 'retry-after') fault['retryAfter'] = Number(value);
    else if (['status', 'delay', 'slow', 'cut'].includes(name)) fault[name] = Number(value);
    else throw badValue(FAULT_HEADER, `${FAULT_HEADER} has ${JSON.stringify(part.slice(0, 40))}, which means nothing`);
  }
  const wrong = wrongIn(fault);
  if (wrong !== null) throw badValue(FAULT_HEADER, `${FAULT_HEADER}: ${wrong}`);
  return fault;
}

function decodeText(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw badValue(FAULT_HEADER, `${FAULT_HEADER}: reply is text with percent signs as in addresses`);
  }
}

const NUMBERS = ['retryAfter', 'delay', 'slow', 'cut', 'times'];
const TEXTS = ['reply', 'path', 'model', 'contains'];

const RULE_NAMES: OptionNames<Rule> = {
  path: true,
  model: true,
  contains: true,
  times: true,
  status: true,
  retryAfter: true,
  delay: true,
  hang: true,
  slow: true,
  cut: true,
  reply: true,
};

/** @throws MG_OPTION_VALUE */
export function requireRule(rule: Rule, where: string): void {
  requireNames(where, rule, RULE_NAMES);
  const wrong = wrongIn(rule as Readonly<Record<string, unknown>>);
  if (wrong === null) return;
  throw new MicrogptError('MG_OPTION_VALUE', `${where}: ${wrong}`, 'docs/server.md says what a rule is');
}

/** What is wrong with a fault or a rule, in words; null when nothing is. */
function wrongIn(fault: Readonly<Record<string, unknown>>): string | null {
  for (const [name, value] of Object.entries(fault)) {
    if (value === undefined) continue;
    const is = `${name} is ${typeof value === 'number' ? value : JSON.stringify(value)}, expected`;
    if (name === 'status') {
      if (typeof value !== 'number' || STATUSES[value] === undefined)
        return `${is} one of ${Object.keys(STATUSES).join(', ')}`;
    } else if (NUMBERS.includes(name)) {
      const whole = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MOST_MS;
      if (!whole) return `${is} a whole number from 0 to ${MOST_MS}`;
    } else if (TEXTS.includes(name)) {
      if (typeof value !== 'string') return `${is} a text`;
    } else if (typeof value !== 'boolean') return `${is} true or false`; // hang
  }
  return null;
}

/** What comes before the answer. @throws Refusal, ClientGone */
export async function before(fault: Fault, signal: AbortSignal): Promise<void> {
  if (fault.delay) await sleep(fault.delay, signal);
  if (fault.hang) await sleep(Number.POSITIVE_INFINITY, signal);
  if (fault.status === undefined) return;
  const headers = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
  throw new Refusal(fault.status as RefusalStatus, STATUSES[fault.status], 'this error was asked for', { headers });
}

/** Chunks, slow and cut as it is asked for. */
export async function* during(
  events: AsyncIterable<unknown>,
  { slow, cut }: Fault,
  signal: AbortSignal,
): AsyncGenerator<unknown, void, undefined> {
  let count = 0;
  for await (const event of events) {
    if (count++ === cut) throw new CutShort('cut as it was asked for');
    if (slow) await sleep(slow, signal);
    yield event;
  }
}

export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const gone = () => {
      clearTimeout(timer);
      reject(signal.reason instanceof Refusal ? signal.reason : new ClientGone());
    };
    const done = () => {
      signal.removeEventListener('abort', gone);
      resolve();
    };
    const timer = Number.isFinite(milliseconds) ? setTimeout(done, milliseconds) : undefined;
    if (signal.aborted) gone();
    else signal.addEventListener('abort', gone, { once: true });
  });
}

/** More than any prompt has tokens. */
const ANY_LENGTH = 2 ** 20;

/**
 * A compute that writes a given text instead of what the models would, a character at a time, until a stop string or as many as were asked
 * for. The models read nothing, so prompts may have any length, and all log-probabilities are 0.
 */
export function scripted(compute: Compute, reply: string): Compute {
  const models = [...compute.models].map(
    ([name, model]) => [name, { ...model, config: { ...model.config, blockSize: ANY_LENGTH } }] as const,
  );
  return {
    ...compute,
    models: new Map(models),
    async *ask(name, job, signal): AsyncGenerator<SampleEvent, void, undefined> {
      const { tokenizer } = compute.models.get(name)!;
      const { maxTokens = Number.POSITIVE_INFINITY, samples = 1, stop = [], logprobs = 0 } = job.options;
      const ends = (typeof stop === 'string' ? [stop] : stop).map((one) => reply.indexOf(one)).filter((at) => at >= 0);
      const characters = [...reply.slice(0, Math.min(reply.length, ...ends))];
      for (let sample = 0; sample < samples; sample++) {
        for (const text of characters.slice(0, maxTokens)) {
          if (signal.aborted) return;
          const token = tokenizer.kind === 'char' ? (tokenizer.encode(text).ids[0] ?? UNKNOWN) : UNKNOWN;
          yield { sample, text, token, logprob: 0, likely: logprobs > 0 ? [{ token, logprob: 0 }] : [], end: null };
        }
        yield { sample, text: '', token: null, end: characters.length > maxTokens ? 'length' : 'token' };
      }
    },
    promptLogprobs: async (_name, text) =>
      [...text].map((character) => ({ token: null, text: character, logprob: 0, likely: [] })),
  };
}
