/**
 * What both forms of the field's API share: which model is meant, how its tokens are drawn, and what an answer is.
 * Refuses to know: HTTP. Invariant: whatever is wrong with a request is said before it takes a place or waits for one.
 */
import { sha256 } from '../base/sha256.js';
import type { Compute } from '../engine/compute.js';
import type { ChatModel } from '../engine/conversation.js';
import type { Model } from '../engine/plan.js';
import type { Demands } from '../generate/constraints/acceptor.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import type { SamplingFields } from './fields.js';
import { shown } from './fields.js';
import { badValue, Refusal } from './refusal.js';
import type { Counter } from './writing.js';

/** A request that is in order, ready to be answered. */
export interface Planned {
  readonly model: string;
  readonly stream: boolean;
  /** How many texts are written side by side. */
  readonly samples: number;
  /** What the asker should know: headers of the answer. */
  readonly notes: Readonly<Record<string, string>>;
  /** Tokens that were written, also while they are being written. */
  readonly counter: Counter;
  json(signal: AbortSignal): Promise<unknown>;
  events(signal: AbortSignal): AsyncGenerator<unknown, void, undefined>;
}

export interface FoundModel {
  readonly name: string;
  readonly model: ChatModel;
}

/** The model of that name; the first one without a name. Names are keys of a map, never paths. @throws Refusal 404 */
export function findModel({ models }: Pick<Compute, 'models'>, name: string | null | undefined): FoundModel {
  const [first] = models;
  const found = name == null ? first : ([name, models.get(name)] as const);
  if (found?.[1] !== undefined) return { name: found[0], model: found[1] };
  const names = [...models.keys()].join(', ');
  throw new Refusal(404, 'model_not_found', `there is no model ${shown(name)} here; there is ${names}`, {
    param: 'model',
  });
}

/** The model of that name; without a name the first that knows conversations. @throws Refusal 400, 404 */
export function findChatModel(compute: Pick<Compute, 'models'>, name: string | null | undefined): FoundModel {
  const able = [...compute.models].filter(([, { tokenizer }]) => tokenizer.roles !== null);
  if (name == null && able.length > 0) return { name: able[0][0], model: able[0][1] };
  const found = findModel(compute, name);
  if (found.model.tokenizer.roles !== null) return found;
  const others = able.length === 0 ? 'none of those here was' : `${able.map(([one]) => one).join(', ')} was`;
  const message = `the model ${shown(found.name)} was not trained on conversations; ${others}`;
  throw new Refusal(400, 'chat_not_supported', message, { param: 'model' });
}

/** Says which field the engine would not take. @throws Refusal 400 */
export function samplingOf(fields: SamplingFields, { tokenizer, config }: Model) {
  for (const name of ['presence_penalty', 'frequency_penalty'] as const) {
    if (fields[name]) throw badValue(name, `${name} is not supported: leave it out, or use repetition_penalty`);
  }
  return {
    temperature: fields.temperature ?? 1,
    topP: fields.top_p ?? undefined,
    topK: fields.top_k ?? undefined,
    minP: fields.min_p ?? undefined,
    repetitionPenalty: fields.repetition_penalty ?? undefined,
    bias: biasOf(fields.logit_bias, tokenizer.size),
    seed: fields.seed ?? 42,
    samples: fields.n ?? 1,
    stop: stopsOf(fields.stop),
    maxTokens: maxTokensOf(fields.max_tokens, 'max_tokens', config.blockSize),
  };
}

export function maxTokensOf(value: number | null | undefined, name: string, context: number): number | undefined {
  if (value == null) return undefined;
  if (value <= context) return value;
  throw badValue(name, `${name} must be a whole number of at most ${context}, the context of this model, got ${value}`);
}

function stopsOf(stop: SamplingFields['stop']): readonly string[] | undefined {
  if (stop == null) return undefined;
  const list = typeof stop === 'string' ? [stop] : stop;
  if (list.includes('')) throw badValue('stop', 'stop must be texts that are not empty');
  return list.length === 0 ? undefined : list;
}

function biasOf(bias: SamplingFields['logit_bias'], vocabSize: number): Map<number, number> | undefined {
  if (bias == null) return undefined;
  const out = new Map<number, number>();
  for (const [name, amount] of Object.entries(bias)) {
    const token = /^\d{1,6}$/.test(name) ? Number(name) : Number.NaN;
    if (!(token < vocabSize)) {
      throw badValue('logit_bias', `logit_bias names token ${shown(name)}, the model has 0 to ${vocabSize - 1}`);
    }
    out.set(token, amount);
  }
  return out;
}

/** What the answer has to be, when it comes after `prompt`. @throws Refusal 400 */
export function demandsOf(fields: SamplingFields, { tokenizer }: Model, prompt: string): Demands {
  const choices = fields.choices ?? fields.guided_choice;
  const name = fields.choices == null ? 'guided_choice' : 'choices';
  if (choices == null) {
    return fields.guided_regex == null ? {} : { matches: `${literal(prompt)}(?:${fields.guided_regex})` };
  }
  if (fields.guided_regex != null) throw badValue('guided_regex', `guided_regex cannot be given with ${name}`);
  for (const choice of choices) {
    const { unknown } = tokenizer.encode(choice);
    if (unknown.length === 0) continue;
    throw badValue(name, `${name}: the model does not know ${unknown.map(shown).join(', ')} of ${shown(choice)}`);
  }
  return { matches: `${literal(prompt)}(?:${choices.map(literal).join('|')})` };
}

/** Text as a pattern that matches it alone. */
const literal = (text: string): string => text.replace(/[\^$\\.*+?()[\]{}|]/g, '\\$&');

/** The same request has the same id, today and tomorrow: answers are the same to the byte. */
export const idOf = (prefix: string, body: string): string =>
  `${prefix}-${sha256(new TextEncoder().encode(`${prefix}\n${body}`)).slice(0, 24)}`;

/** What a model does not read of texts as it stands, as headers of the answer. */
export function notesOf({ tokenizer }: Model, texts: readonly string[]): Record<string, string> {
  const read = texts.map((text) => readPrompt(tokenizer, text));
  const folded = new Set(read.flatMap((one) => one.folded));
  const unknown = new Set(read.flatMap((one) => one.unknown));
  return {
    ...(folded.size > 0 ? { 'x-microgpt-small-letters': String(folded.size) } : {}),
    ...(unknown.size > 0 ? { 'x-microgpt-unknown-characters': String(unknown.size) } : {}),
  };
}

export function tooLong(param: string, tokens: number, context: number, why = ''): Refusal {
  const message = `this model's context holds ${context} tokens, ${param} has ${tokens}${why}`;
  return new Refusal(400, 'context_length_exceeded', message, { param });
}
