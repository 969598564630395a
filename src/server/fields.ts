/**
 * The fields of requests: what each may be, in one place for checking and for the OpenAPI document.
 * Refuses to know: models. Invariants: every number has a lower and an upper bound; null is the same as a field that is left out; unknown
 * fields are not looked at.
 */
import { z } from 'zod';
import type { Plain } from './body.js';
import { REQUEST_LIMITS as L } from './limits.js';
import { badValue, Refusal } from './refusal.js';

/** A number with its bounds; what is expected stands in the complaint and in the document. */
const whole = (least: number, most: number) => {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error }).nullish();
};
const decimal = (least: number, most: number) => {
  const error = `a number from ${least} to ${most}`;
  return z.number({ error }).min(least, { error }).max(most, { error }).nullish();
};
const flag = z.boolean({ error: 'true or false' }).nullish();
const text = (most: number) => {
  const error = `a text of at most ${most} characters`;
  return z.string({ error }).max(most, { error });
};
const texts = (most: number, each: number) => {
  const error = `a list of 1 to ${most} texts of at most ${each} characters`;
  return z.array(text(each), { error }).min(1, { error }).max(most, { error });
};

const stops = `a text of at most ${L.stopLength} characters, or a list of at most ${L.stops}`;
const stop = z
  .union([text(L.stopLength), z.array(text(L.stopLength)).max(L.stops, { error: stops })], { error: stops })
  .nullish();

const biasError = 'a number from -100 to 100';
const bias = z.number({ error: biasError }).min(-100, { error: biasError }).max(100, { error: biasError });

/** How tokens are drawn, and how much; the same for both. */
const sampling = {
  model: text(256).nullish(),
  max_tokens: whole(0, L.maxTokens),
  temperature: decimal(0, 2),
  top_p: decimal(0, 1),
  n: whole(1, L.n),
  stream: flag,
  stream_options: z.object({ include_usage: flag }, { error: 'an object' }).nullish(),
  stop,
  seed: whole(0, 2 ** 32 - 1),
  presence_penalty: decimal(-2, 2),
  frequency_penalty: decimal(-2, 2),
  logit_bias: z.record(z.string(), bias, { error: 'an object of token ids with numbers from -100 to 100' }).nullish(),
  user: text(512).nullish(),
  // Beyond OpenAI's fields.
  top_k: whole(0, 65_536),
  min_p: decimal(0, 1),
  repetition_penalty: decimal(0.01, 10),
  /** The answer is one of these. */
  choices: texts(L.choices, 1024).nullish(),
  guided_choice: texts(L.choices, 1024).nullish(),
  guided_regex: text(L.patternLength).nullish(),
};

const promptError = `a text, or a list of 1 to ${L.prompts} texts, of at most ${L.text} characters together`;

const prompts = z.array(text(L.text)).min(1, { error: promptError }).max(L.prompts, { error: promptError });

export const completionFields = z.object({
  ...sampling,
  prompt: z.union([text(L.text), prompts], { error: promptError }).nullish(),
  echo: flag,
  logprobs: whole(0, L.logprobs),
  best_of: whole(1, L.n),
  suffix: text(L.text).nullish(),
});
export type CompletionFields = z.infer<typeof completionFields>;

const ROLES = ['system', 'developer', 'user', 'assistant'] as const;
const roles = `one of ${ROLES.join(', ')}`;
const part = z.object(
  { type: z.literal('text', { error: '"text": nothing else can be read' }), text: text(L.text) },
  { error: 'an object with type and text' },
);
export const CONTENT = `a text of at most ${L.text} characters, or a list of at most ${L.messages} parts of the type text`;
const message = z.object(
  {
    role: z.enum(ROLES, { error: roles }),
    content: z.union([text(L.text), z.array(part).max(L.messages, { error: CONTENT })], { error: CONTENT }).nullish(),
  },
  { error: 'an object with role and content' },
);

const messagesError = `a list of 1 to ${L.messages} messages`;

export const chatFields = z.object({
  ...sampling,
  messages: z
    .array(message, { error: messagesError })
    .min(1, { error: messagesError })
    .max(L.messages, { error: messagesError }),
  max_completion_tokens: whole(1, L.maxTokens),
  logprobs: flag,
  top_logprobs: whole(0, L.logprobs),
  response_format: z.object({ type: text(64) }, { error: 'an object with a type' }).nullish(),
  tool_choice: z.unknown().optional(),
  function_call: z.unknown().optional(),
});
export type ChatFields = z.infer<typeof chatFields>;
export type SamplingFields = Pick<ChatFields, keyof typeof sampling>;

/** The value with its fields checked. @throws Refusal 400 naming the first field that is wrong */
export function checkFields<T>(schema: z.ZodType<T>, value: Plain): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(400, 'invalid_value', `the body has to be an object, got ${shown(value)}`);
  }
  const checked = schema.safeParse(value);
  if (checked.success) return checked.data;
  const { path, message } = placed(checked.error.issues[0]);
  const param = path
    .map((name, i) => (typeof name === 'number' ? `[${name}]` : `${i > 0 ? '.' : ''}${String(name)}`))
    .join('');
  throw badValue(param, `${param} must be ${message}, got ${shown(at(value, path))}`);
}

/** What is wrong, as close to it as can be said: of a list where a text may stand, too, that is the element. */
function placed({ path, message, ...issue }: z.core.$ZodIssue): Pick<z.core.$ZodIssue, 'path' | 'message'> {
  if (!('errors' in issue)) return { path, message };
  const within = issue.errors.flatMap(([first]) => (first.path.length > 0 ? [placed(first)] : []))[0];
  return within === undefined ? { path, message } : { path: [...path, ...within.path], message: within.message };
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Record<PropertyKey, unknown>)[name];
  }
  return found;
}

/** A value as a complaint shows it. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'string' && value.length > 40) return `a text of ${value.length} characters`;
  return JSON.stringify(value);
}
