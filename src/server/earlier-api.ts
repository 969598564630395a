/**
 * The API of the earlier server: POST /microgpt/v1/generate and /microgpt/v1/chat, with its defaults, caps and error bodies, and with its
 * draws, so that the same model and seed give the same text. What differs is listed in docs/server.md.
 * Refuses to know: the field's API. Invariants: what a handler refuses is {"error": …}, what the framework refused is plain text.
 */
import type { Compute, Job } from '../engine/compute.js';
import type { Turn } from '../engine/conversation.js';
import type { SampleEvent } from '../engine/samples.js';
import { findModel } from './asking.js';
import { type Plain, parseStrictly, readText } from './body.js';
import { REQUEST_LIMITS } from './limits.js';
import { Refusal } from './refusal.js';
import type { Counter } from './writing.js';

/** An answer in its final form. */
export class EarlierRefusal extends Error {
  readonly status: number;
  readonly body: string | { readonly error: string };

  constructor(status: number, body: string | { readonly error: string }) {
    super(typeof body === 'string' ? body : body.error);
    this.status = status;
    this.body = body;
  }
}

const refused = (error: string) => new EarlierRefusal(400, { error });
const wrongType = (what: string) =>
  new EarlierRefusal(422, `Failed to deserialize the JSON body into the target type: ${what}`);

export interface EarlierBody {
  readonly text: string;
  readonly fields: { readonly [name: string]: Plain };
}

/** What the framework checked, in its order. @throws EarlierRefusal, Refusal */
export async function readEarlierBody(request: Request): Promise<EarlierBody> {
  const accept = request.headers.get('accept');
  if (accept !== null && !/(^|[,\s])(application\/json|application\/\*|\*\/\*)\s*(;|,|$)/i.test(accept)) {
    throw new EarlierRefusal(406, '');
  }
  if (!/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(request.headers.get('content-type') ?? '')) {
    throw new EarlierRefusal(415, 'Expected request with `Content-Type: application/json`');
  }
  const text = await readText(request, REQUEST_LIMITS.bodyBytes).catch((error: unknown) => {
    if (error instanceof Refusal && error.status === 413) throw new EarlierRefusal(413, 'length limit exceeded');
    throw error;
  });
  let value: Plain;
  try {
    value = parseStrictly(text);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new EarlierRefusal(400, `Failed to parse the request body as JSON: ${error.message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongType(`invalid type: ${kindOf(value)}, expected a struct`);
  }
  return { text, fields: value as { readonly [name: string]: Plain } };
}

export interface EarlierPlan {
  readonly model: string;
  readonly counter: Counter;
  json(signal: AbortSignal): Promise<unknown>;
}

/** @throws EarlierRefusal */
export function planGenerate(body: EarlierBody, compute: Compute): EarlierPlan {
  const { name } = findModel(compute, null);
  const asked = wholeField(body.fields, 'num_samples', 1);
  const samples = Math.min(asked, REQUEST_LIMITS.numSamples);
  const job: Job = { kind: 'samples', options: { samples, ...drawing(body), compat: 'rust' } };
  const counter: Counter = { completion: 0 };
  return {
    model: name,
    counter,
    async json(signal) {
      return { samples: samples === 0 ? [] : await textsOf(compute.ask(name, job, signal), samples, counter) };
    },
  };
}

/** @throws EarlierRefusal */
export function planEarlierChat(body: EarlierBody, compute: Compute): EarlierPlan {
  const { fields } = body;
  const { name, model } = chatModel(compute);
  const messages = messagesOf(fields['messages']);
  const { seed, temperature } = drawing(body, false);
  if (model.tokenizer.roles === null) throw refused('model was not trained with chat tokens');
  if (messages.length === 0) throw refused('messages must not be empty');
  if (messages.length > REQUEST_LIMITS.messages) throw refused(`at most ${REQUEST_LIMITS.messages} messages are taken`);
  const turns = messages.map(({ role, content }): Turn => {
    if (role !== 'user' && role !== 'assistant') throw refused(`unknown role: ${role}`);
    return { role, content };
  });
  requireTemperature(temperature);
  // The engine numbers draws by the turns before; that server began with the seed itself.
  const before = Math.max(0, turns.filter((turn) => turn.role === 'user').length - 1);
  const own = BigInt.asUintN(64, BigInt(seed) - BigInt(before));
  const job: Job = { kind: 'reply', turns, options: { seed: own, temperature, compat: 'rust' } };
  const counter: Counter = { completion: 0 };
  return {
    model: name,
    counter,
    async json(signal) {
      const [content] = await textsOf(compute.ask(name, job, signal), 1, counter);
      return { role: 'assistant', content };
    },
  };
}

/** That server had one model; here it is the first one that can chat. */
function chatModel(compute: Compute) {
  for (const [name, model] of compute.models) if (model.tokenizer.roles !== null) return { name, model };
  return findModel(compute, null);
}

async function textsOf(events: AsyncIterable<SampleEvent>, samples: number, counter: Counter): Promise<string[]> {
  const texts = Array.from({ length: samples }, () => '');
  for await (const { sample, text, token } of events) {
    texts[sample] += text;
    if (token !== null) counter.completion++;
  }
  return texts;
}

function drawing({ fields, text }: EarlierBody, check = true) {
  const temperature = fields['temperature'] === undefined ? 0.5 : fields['temperature'];
  if (typeof temperature !== 'number')
    throw wrongType(`temperature: invalid type: ${kindOf(temperature)}, expected f64`);
  if (check) requireTemperature(temperature);
  return { temperature, seed: seedOf(fields, text) };
}

/** Below 0 that server drew what is least likely first; here it is refused, as in its later versions. */
function requireTemperature(temperature: number): void {
  if (temperature < 0) throw refused(`temperature must be >= 0, got ${temperature}`);
}

/** A whole number of 64 bits; beyond 2^53 the digits of the body count, which a JavaScript number does not hold. */
function seedOf(fields: EarlierBody['fields'], text: string): number | bigint {
  const seed = wholeField(fields, 'seed', 42);
  if (Number.isSafeInteger(seed)) return seed;
  const digits = [...text.matchAll(/"seed"\s*:\s*(\d{16,20})(?![\d.eE])/g)].map((match) => BigInt(match[1]));
  const exact = digits.find((value) => Number(value) === seed);
  if (exact !== undefined && exact < 2n ** 64n) return exact;
  throw wrongType('seed: invalid type: floating point, expected u64');
}

function wholeField(fields: EarlierBody['fields'], name: string, usual: number): number {
  const value = fields[name];
  if (value === undefined) return usual;
  if (typeof value !== 'number') throw wrongType(`${name}: invalid type: ${kindOf(value)}, expected u64`);
  if (!Number.isInteger(value)) throw wrongType(`${name}: invalid type: floating point \`${value}\`, expected u64`);
  if (value < 0) throw wrongType(`${name}: invalid value: integer \`${value}\`, expected u64`);
  return value;
}

function messagesOf(value: Plain | undefined): { readonly role: string; readonly content: string }[] {
  if (value === undefined) throw wrongType('missing field `messages`');
  if (!Array.isArray(value)) throw wrongType(`messages: invalid type: ${kindOf(value)}, expected a sequence`);
  return value.map((message: Plain, i: number) => {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      throw wrongType(`messages[${i}]: invalid type: ${kindOf(message)}, expected struct Message`);
    }
    const { role, content } = message as { readonly [name: string]: Plain };
    for (const [name, field] of [
      ['role', role],
      ['content', content],
    ] as const) {
      if (field === undefined) throw wrongType(`messages[${i}]: missing field \`${name}\``);
      if (typeof field !== 'string') {
        throw wrongType(`messages[${i}].${name}: invalid type: ${kindOf(field)}, expected a string`);
      }
    }
    return { role: role as string, content: content as string };
  });
}

function kindOf(value: Plain | undefined): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'sequence';
  if (typeof value === 'string') return `string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'number')
    return Number.isInteger(value) ? `integer \`${value}\`` : `floating point \`${value}\``;
  return typeof value === 'boolean' ? `boolean \`${value}\`` : 'map';
}
