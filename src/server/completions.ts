/**
 * POST /v1/completions: text goes on. Also scores: with `echo` and `logprobs`, how likely each token of the prompt is.
 * Refuses to know: HTTP. Invariant: the chunks of a stream, put together, are the answer without streaming.
 */
import type { Compute, Job } from '../engine/compute.js';
import type { Model } from '../engine/plan.js';
import type { PromptToken } from '../engine/prompt-logprobs.js';
import { readPrompt } from '../tokenizer/small-letters.js';
import { demandsOf, findModel, idOf, notesOf, type Planned, samplingOf, tooLong } from './asking.js';
import type { Body } from './body.js';
import { type CompletionFields, checkFields, completionFields } from './fields.js';
import { REQUEST_LIMITS } from './limits.js';
import { badValue } from './refusal.js';
import { type Counter, inTurns, pieces, type ScoredToken, unknown, usageOf, written } from './writing.js';

/** OpenAI's, for completions. */
const MAX_TOKENS = 16;

interface Choice {
  readonly index: number;
  readonly text: string;
  readonly finish: 'stop' | 'length' | null;
  readonly tokens: readonly ScoredToken[];
  /** Where its text begins in that of the whole choice, in characters. */
  readonly offset: number;
}

/** @throws Refusal 400, 404 */
export function planCompletion({ value, text: bodyText }: Body, compute: Compute): Planned {
  const fields = checkFields(completionFields, value);
  const { name, model } = findModel(compute, fields.model);
  const prompts = promptsOf(fields);
  const promptTokens = prompts.reduce((sum, prompt) => sum + tokensOf(prompt, model), 0);
  const sampling = samplingOf(fields, model);
  const maxTokens = sampling.maxTokens ?? Math.min(MAX_TOKENS, model.config.blockSize);
  const logprobs = fields.logprobs ?? undefined;
  const echo = fields.echo === true;
  const { samples } = sampling;
  if (prompts.length * samples > REQUEST_LIMITS.prompts) {
    throw badValue('n', `${prompts.length} prompts with n ${samples} are more than ${REQUEST_LIMITS.prompts} answers`);
  }
  const jobs = prompts.map((prompt): Job => {
    const demands = maxTokens === 0 ? {} : demandsOf(fields, model, prompt);
    return { kind: 'samples', options: { ...sampling, ...demands, prompt, maxTokens, logprobs } };
  });
  const counter: Counter = { completion: 0 };
  const head = { id: idOf('cmpl', bodyText), object: 'text_completion', created: 0, model: name };

  /** Everything of one prompt, sample by sample in turns. */
  async function* choicesOf(at: number, signal: AbortSignal): AsyncGenerator<Choice, void, undefined> {
    const prompt = prompts[at];
    const offsets = new Array<number>(samples).fill(0);
    if (echo) {
      const scores = logprobs === undefined ? [] : await compute.promptLogprobs(name, prompt, logprobs, signal);
      const tokens = scores.map((token) => promptToken(token, model));
      for (let sample = 0; sample < samples; sample++) {
        yield {
          index: at * samples + sample,
          text: prompt,
          finish: maxTokens === 0 ? 'length' : null,
          tokens,
          offset: 0,
        };
        offsets[sample] = [...prompt].length;
      }
    }
    if (maxTokens === 0) {
      if (!echo)
        for (let i = 0; i < samples; i++)
          yield { index: at * samples + i, text: '', finish: 'length', tokens: [], offset: 0 };
      return;
    }
    for await (const piece of inTurns(pieces(compute.ask(name, jobs[at], signal), model, counter), samples)) {
      const { sample, text, tokens, finish } = piece;
      yield { index: at * samples + sample, text, finish, tokens, offset: offsets[sample] };
      offsets[sample] += tokens.reduce((sum, token) => sum + lengthOf(token), 0);
    }
  }

  const shape = ({ index, text, finish, tokens, offset }: Choice) => ({
    index,
    text,
    logprobs: logprobs === undefined ? null : legacyLogprobs(tokens, offset, logprobs),
    finish_reason: finish,
  });

  return {
    model: name,
    stream: fields.stream === true,
    samples,
    notes: notesOf(model, prompts),
    counter,
    async json(signal) {
      const whole = await Promise.all(prompts.map((_, at) => collect(choicesOf(at, signal), at, samples)));
      return { ...head, choices: whole.flat().map(shape), usage: usageOf(promptTokens, counter.completion) };
    },
    async *events(signal) {
      const withUsage = fields.stream_options?.include_usage === true;
      const usage = withUsage ? { usage: null } : {};
      for (let at = 0; at < prompts.length; at++) {
        for await (const choice of choicesOf(at, signal)) {
          if (choice.text === '' && choice.finish === null && choice.tokens.length === 0) continue;
          yield { ...head, choices: [shape(choice)], ...usage };
        }
      }
      if (withUsage) yield { ...head, choices: [], usage: usageOf(promptTokens, counter.completion) };
    },
  };
}

function promptsOf(fields: CompletionFields): readonly string[] {
  const { prompt, suffix, best_of: bestOf, n, stream } = fields;
  if (suffix) throw badValue('suffix', 'suffix is not supported: leave it out');
  if (bestOf != null && bestOf !== (n ?? 1)) {
    throw badValue('best_of', 'best_of is not supported beyond n: ask for n answers with logprobs and choose');
  }
  const prompts = prompt == null ? [''] : typeof prompt === 'string' ? [prompt] : prompt;
  const length = prompts.reduce((sum, one) => sum + one.length, 0);
  if (length > REQUEST_LIMITS.text) {
    throw badValue(
      'prompt',
      `the prompts have ${length} characters together, at most ${REQUEST_LIMITS.text} are taken`,
    );
  }
  if (stream === true && prompts.length > 1 && fields.echo === true && fields.max_tokens === 0) {
    throw badValue('stream', 'scores of several prompts are not streamed: leave stream out');
  }
  return prompts;
}

/** Tokens that are read. @throws Refusal 400 when they are too many */
function tokensOf(prompt: string, { tokenizer, config }: Model): number {
  const { ids } = readPrompt(tokenizer, prompt);
  const tokens = ids.length + (tokenizer.bos === null ? 0 : 1);
  if (tokens > config.blockSize) throw tooLong('prompt', tokens, config.blockSize);
  return tokens;
}

/** Pieces put together, one choice for each sample. */
async function collect(source: AsyncIterable<Choice>, at: number, samples: number): Promise<Choice[]> {
  const texts = Array.from({ length: samples }, () => '');
  const tokens: ScoredToken[][] = Array.from({ length: samples }, () => []);
  const finish: Choice['finish'][] = Array.from({ length: samples }, () => null);
  for await (const choice of source) {
    const i = choice.index - at * samples;
    texts[i] += choice.text;
    tokens[i].push(...choice.tokens);
    finish[i] = choice.finish;
  }
  return texts.map((text, i) => ({
    index: at * samples + i,
    text,
    finish: finish[i],
    tokens: tokens[i],
    offset: 0,
  }));
}

function promptToken({ token, text, logprob, likely }: PromptToken, model: Model): ScoredToken {
  const shown = token === null ? unknown(text, logprob) : written(model, token, logprob);
  return { ...shown, likely: likely.map((one) => written(model, one.token, one.logprob)) };
}

/** Characters that a token adds to a text; of a character of several bytes, its first byte brings it. */
function lengthOf({ bytes }: ScoredToken): number {
  if (bytes === null) return 0;
  return bytes.length === 1 && (bytes[0] & 0xc0) === 0x80 ? 0 : 1;
}

function legacyLogprobs(tokens: readonly ScoredToken[], offset: number, count: number) {
  const offsets: number[] = [];
  let at = offset;
  for (const token of tokens) {
    offsets.push(at);
    at += lengthOf(token);
  }
  return {
    tokens: tokens.map(({ text }) => text),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs:
      count === 0
        ? null
        : tokens.map((token) =>
            // The token itself is always among them: `count` + 1 where it is none of the likeliest.
            token.logprob === null
              ? null
              : Object.fromEntries([...token.likely, token].map((one) => [one.text, one.logprob])),
          ),
    text_offset: offsets,
  };
}
