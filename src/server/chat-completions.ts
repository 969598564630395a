/**
 * POST /v1/chat/completions: the next message of the assistant.
 * The models know two who speak, user and assistant. Messages of `system` and `developer` are checked and left out, because no model of
 * this kind has learned from any; the answer says how many in a header.
 * Refuses to know: HTTP. Invariant: the chunks of a stream, put together, are the answer without streaming.
 */
import type { Compute, Job } from '../engine/compute.js';
import { chatPrompt, exchangesOf, lastExchanges, type Turn } from '../engine/conversation.js';
import type { Model } from '../engine/plan.js';
import { demandsOf, findChatModel, idOf, maxTokensOf, notesOf, type Planned, samplingOf, tooLong } from './asking.js';
import type { Body } from './body.js';
import { type ChatFields, CONTENT, chatFields, checkFields, shown } from './fields.js';
import { REQUEST_LIMITS } from './limits.js';
import { badValue } from './refusal.js';
import { type Counter, inTurns, type Piece, pieces, type ScoredToken, usageOf } from './writing.js';

/** `isScripted`: the text is given, so that it may have any form. @throws Refusal 400, 404 */
export function planChat({ value, text: bodyText }: Body, compute: Compute, isScripted = false): Planned {
  const fields = checkFields(chatFields, value);
  const { name, model } = findChatModel(compute, fields.model);
  refuseUnsupported(fields, isScripted);
  const turns = turnsOf(fields);
  const sampling = samplingOf(fields, model);
  const maxTokens =
    maxTokensOf(fields.max_completion_tokens, 'max_completion_tokens', model.config.blockSize) ?? sampling.maxTokens;
  if (maxTokens === 0)
    throw badValue('max_tokens', `max_tokens must be a whole number from 1 to ${model.config.blockSize}, got 0`);
  const read = lastExchanges(turns, exchangesOf(model));
  const promptTokens = tokensOf(read, model, maxTokens);
  const logprobs = fields.logprobs === true ? (fields.top_logprobs ?? 0) : undefined;
  if (logprobs === undefined && fields.top_logprobs != null) {
    throw badValue('top_logprobs', 'top_logprobs needs logprobs: true');
  }
  const { samples } = sampling;
  const options = { ...sampling, ...demandsOf(fields, model, ''), maxTokens, logprobs };
  const job: Job = { kind: 'reply', turns, options };
  const counter: Counter = { completion: 0 };
  const id = idOf('chatcmpl', bodyText);
  const leftOut = fields.messages.length - read.length;

  const written = (signal: AbortSignal) => inTurns(pieces(compute.ask(name, job, signal), model, counter), samples);
  const logprobsOf = (tokens: readonly ScoredToken[]) =>
    logprobs === undefined ? null : { content: tokens.map(chatToken), refusal: null };

  return {
    model: name,
    stream: fields.stream === true,
    notes: {
      ...notesOf(
        model,
        read.map((turn) => turn.content),
      ),
      ...(leftOut > 0 ? { 'x-microgpt-messages-left-out': String(leftOut) } : {}),
    },
    samples,
    counter,
    async json(signal) {
      const head = { id, object: 'chat.completion', created: 0, model: name };
      const choices = (await collect(written(signal), samples)).map(({ text, tokens, finish }, index) => ({
        index,
        message: { role: 'assistant', content: text, refusal: null },
        logprobs: logprobsOf(tokens),
        finish_reason: finish,
      }));
      return { ...head, choices, usage: usageOf(promptTokens, counter.completion) };
    },
    async *events(signal) {
      const withUsage = fields.stream_options?.include_usage === true;
      const head = { id, object: 'chat.completion.chunk', created: 0, model: name };
      const chunk = (index: number, delta: object, tokens: readonly ScoredToken[], finish: Piece['finish']) => ({
        ...head,
        choices: [{ index, delta, logprobs: tokens.length === 0 ? null : logprobsOf(tokens), finish_reason: finish }],
        ...(withUsage ? { usage: null } : {}),
      });
      for (let i = 0; i < samples; i++) yield chunk(i, { role: 'assistant', content: '' }, [], null);
      for await (const { sample, text, tokens, finish } of written(signal)) {
        if (text !== '' || tokens.length > 0) yield chunk(sample, { content: text }, tokens, null);
        if (finish !== null) yield chunk(sample, {}, [], finish);
      }
      if (withUsage) yield { ...head, choices: [], usage: usageOf(promptTokens, counter.completion) };
    },
  };
}

function refuseUnsupported({ response_format: format, ...fields }: ChatFields, isScripted: boolean): void {
  if (format != null && format.type !== 'text' && !isScripted) {
    throw badValue('response_format', 'response_format can only be text: use choices or guided_regex for a form');
  }
  for (const name of ['tool_choice', 'function_call'] as const) {
    const choice = fields[name];
    if (choice == null || choice === 'none' || choice === 'auto') continue;
    throw badValue(name, `${name} can only be none or auto: these models call no tools`);
  }
}

function turnsOf({ messages }: ChatFields): Turn[] {
  const turns: Turn[] = [];
  let length = 0;
  for (const [i, { role, content }] of messages.entries()) {
    if (content == null && role !== 'assistant') {
      throw badValue(`messages[${i}].content`, `messages[${i}].content must be ${CONTENT}, got ${shown(content)}`);
    }
    const text =
      content == null ? '' : typeof content === 'string' ? content : content.map((part) => part.text).join('');
    length += text.length;
    if (role === 'user' || role === 'assistant') turns.push({ role, content: text });
  }
  if (length > REQUEST_LIMITS.text) {
    throw badValue(
      'messages',
      `the messages have ${length} characters together, at most ${REQUEST_LIMITS.text} are taken`,
    );
  }
  if (turns.length === 0) throw badValue('messages', 'messages must have at least one of the user or the assistant');
  return turns;
}

/** Tokens that are read. @throws Refusal 400 when the conversation leaves no room for a reply */
function tokensOf(turns: readonly Turn[], { tokenizer, config }: Model, maxTokens: number | undefined): number {
  const prompt = chatPrompt(tokenizer, turns, config.blockSize, { maxTokens });
  if (prompt.turnsLeftOut === 0 && prompt.tokensCut === 0) return prompt.tokens.length;
  const all = chatPrompt(tokenizer, turns, Number.MAX_SAFE_INTEGER, { maxTokens }).tokens.length;
  throw tooLong('messages', all, config.blockSize, ', and some are kept for the answer');
}

async function collect(source: AsyncIterable<Piece>, samples: number) {
  const out = Array.from({ length: samples }, () => ({
    text: '',
    tokens: [] as ScoredToken[],
    finish: null as Piece['finish'],
  }));
  for await (const { sample, text, tokens, finish } of source) {
    out[sample].text += text;
    out[sample].tokens.push(...tokens);
    out[sample].finish = finish;
  }
  return out;
}

function chatToken({ text, bytes, logprob, likely }: ScoredToken) {
  const shape = (one: Pick<ScoredToken, 'text' | 'bytes' | 'logprob'>) => ({
    token: one.text,
    logprob: one.logprob ?? 0,
    bytes: one.bytes,
  });
  return { ...shape({ text, bytes, logprob }), top_logprobs: likely.map(shape) };
}
