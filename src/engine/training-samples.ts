/**
 * What a model in training writes: new texts, or, where it learns conversations, what it says to questions that it has not learned.
 * Refuses to know: how it is trained. Invariant: looking changes nothing; the same weights, seed and text give the same samples.
 */
import type { Corpus, TextCorpus, TokenStream } from '../data/corpus.js';
import type { Draw } from '../generate/sampler.js';
import { createScheduler, type Scheduler } from '../generate/scheduler.js';
import type { ModelConfig } from '../model/config.js';
import type { RoleTokens, Tokenizer } from '../tokenizer/tokenizer.js';
import { planReply, type Turn } from './conversation.js';
import type { Decoder } from './engine.js';
import type { GenerateOptions } from './generate-options.js';
import type { OptionNames } from './options.js';
import type { Model } from './plan.js';
import { createSampleRun } from './samples.js';
import { sampleTexts } from './text.js';

/** `prompt` is what every sample begins with; in a conversation, what the user says. */
export type SampleOptions = Pick<GenerateOptions, 'prompt' | 'maxTokens' | 'temperature' | 'topK' | 'seed'>;

export const SAMPLE_NAMES: OptionNames<SampleOptions> = {
  prompt: true,
  maxTokens: true,
  temperature: true,
  topK: true,
  seed: true,
};

/** So many conversations are looked at for questions at the most. */
const MOST_LOOKED_AT = 1000;

export function trainingSamples(
  decoder: Decoder,
  config: ModelConfig,
  { tokenizer, train, validation }: TextCorpus,
  draw: Draw,
  count: number,
  options: SampleOptions,
): string[] {
  const model = { config, tokenizer };
  const asked = tokenizer.roles === null ? [] : askedOf(options.prompt, count, config, tokenizer, validation ?? train);
  if (asked.length > 0) {
    const scheduler = createScheduler(decoder, config.blockSize, config.vocabSize);
    return asked.map((turns, i) => conversation(turns, replyTo(turns, i, scheduler, model, options)));
  }
  const chain = options.maxTokens === undefined ? undefined : true; // so many tokens, however short the context
  return sampleTexts(decoder, model, draw, { ...options, chain, samples: count });
}

const conversation = (turns: readonly Turn[], reply: string): string =>
  [...turns, { role: 'assistant', content: reply }].map(({ role, content }) => `${role}: ${content}`).join('\n');

/** Reply number `i`, which has draws of its own. */
function replyTo(turns: Turn[], i: number, scheduler: Scheduler, model: Model, options: SampleOptions): string {
  let reply = '';
  const plan = { ...planReply(model, turns, options), firstSample: i };
  const run = createSampleRun(scheduler, model, plan, { temperature: options.temperature }, ({ text }) => {
    reply += text;
  });
  run.refill();
  while (scheduler.turn() && run.failure() === null);
  if (run.failure() !== null) throw run.failure();
  return reply;
}

/** What the user says in each sample: the prompt, or questions from the text. */
function askedOf(
  prompt: string | undefined,
  count: number,
  { blockSize }: ModelConfig,
  { roles, decode }: Tokenizer,
  corpus: Corpus | TokenStream,
): Turn[][] {
  if (prompt) return Array.from({ length: count }, (): Turn[] => [{ role: 'user', content: prompt }]);
  return roles === null || corpus.kind === 'stream' ? [] : questions(corpus, decode, roles, blockSize, count);
}

/** The turns before the assistant's first, of the first conversations in which it has room to answer. */
function questions(
  corpus: Corpus,
  decode: (ids: Iterable<number>) => string,
  roles: RoleTokens,
  blockSize: number,
  most: number,
): Turn[][] {
  const found: Turn[][] = [];
  for (let i = 0; i < Math.min(corpus.count, MOST_LOOKED_AT) && found.length < most; i++) {
    const { tokens } = corpus.document(i, Math.floor((blockSize * 3) / 4));
    const first = tokens.indexOf(roles.assistant);
    const turns: Turn[] = [];
    for (let at = tokens.indexOf(roles.user); at > 0 && at < first; ) {
      const end = tokens.indexOf(roles.end, at);
      turns.push({ role: 'user', content: decode(tokens.subarray(at + 1, end)) });
      at = end + 1;
    }
    if (turns.length > 0) found.push(turns);
  }
  return found;
}
