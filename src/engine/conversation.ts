/**
 * Conversations as the model reads them, in training and in asking alike: BOS, then for each turn the token of who speaks, the text, the
 * token of its end; then the token of the assistant, and from there on the model writes.
 * Refuses to know: how a reply is run. Invariant: text never becomes a role token, because encoding knows no way to make one; and what is
 * read always leaves room for a reply.
 */
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Demands } from '../generate/constraints/acceptor.js';
import { type Choose, createChoose } from '../generate/filters.js';
import { endTokens } from '../generate/generate.js';
import { counterDraw, rustDraw } from '../generate/sampler.js';
import { inSmallLetters } from '../tokenizer/small-letters.js';
import type { RoleTokens, Tokenizer } from '../tokenizer/tokenizer.js';
import {
  DEMAND_NAMES,
  type GenerateOptions,
  requireGenerate,
  SAMPLING_NAMES,
  type SamplingOptions,
} from './generate-options.js';
import { type OptionNames, refuse, requireNames, requireOneOf, requireText } from './options.js';
import { type Model, type SamplePlan, samplingOf } from './plan.js';

/** As much of a checkpoint as is needed to ask for text or replies. */
export type ChatModel = Model & Pick<Checkpoint, 'run'>;

/** What somebody said. */
export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** How a reply is drawn. */
export interface ReplyOptions
  extends SamplingOptions,
    Demands,
    Pick<GenerateOptions, 'samples' | 'maxTokens' | 'stop' | 'top' | 'logprobs'> {
  /** `rust`: as the Rust system chats: no BOS, the oldest tokens cut off wherever that is, reply t drawn from the stream of seed + t. */
  readonly compat?: 'rust' | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const REPLY_NAMES: OptionNames<ReplyOptions> = {
  ...SAMPLING_NAMES,
  ...DEMAND_NAMES,
  samples: true,
  maxTokens: true,
  stop: true,
  top: true,
  logprobs: true,
  compat: true,
  signal: true,
};

/** How much of a conversation the model is given to read. */
export interface ChatPromptOptions extends Pick<ReplyOptions, 'maxTokens' | 'compat'> {
  /** Reads no more than so many things that the user said, and their answers; all that fit if left out. */
  readonly exchanges?: number | undefined;
}

const PROMPT_NAMES: OptionNames<ChatPromptOptions> = { maxTokens: true, compat: true, exchanges: true };

/** What the model is given to read. */
export interface ChatPrompt {
  readonly tokens: readonly number[];
  /** Turns that had to be left out, the oldest first, and tokens of the last turn that had to be cut off. */
  readonly turnsLeftOut: number;
  readonly tokensCut: number;
  /** Characters of the last turn that the model does not know. */
  readonly unknown: readonly string[];
}

/** @throws MG_CHAT_MODEL when the model was not trained on conversations. */
export function requireRoles(tokenizer: Tokenizer): RoleTokens {
  if (tokenizer.roles !== null) return tokenizer.roles;
  throw new MicrogptError(
    'MG_CHAT_MODEL',
    'this model was not trained on conversations: it has no tokens for who speaks',
    'train one on conversations: microgpt train --format chat --data FILE.jsonl; or take the one that comes with microgpt: --model chat',
  );
}

/** @throws MG_CHAT_MODEL, MG_OPTION_VALUE */
export function requireReply(options: ReplyOptions, model: Model): void {
  requireRoles(model.tokenizer);
  requireGenerate(options, model);
  if (options.compat !== undefined) requireOneOf('compat', options.compat, ['rust']);
}

/** @throws MG_OPTION_VALUE */
export function requireTurns(turns: readonly Turn[]): void {
  if (!Array.isArray(turns)) refuse('what was said', turns, 'a list of turns: { role, content }');
  for (const [i, turn] of turns.entries()) {
    requireOneOf(`the role of turn ${i}`, turn?.role, ['user', 'assistant']);
    requireText(`the content of turn ${i}`, turn.content);
  }
}

/** A turn as the model reads it: who speaks, what, and that it ends here. */
export function turnTokens(tokenizer: Tokenizer, roles: RoleTokens, { role, content }: Turn): number[] {
  return [roles[role], ...tokenizer.encode(content).ids, roles.end];
}

/** Room that is kept for a reply: what was asked for, at most half the context; a quarter if nothing was. */
function replyRoom(blockSize: number, maxTokens: number | undefined): number {
  return Math.max(1, Math.min(maxTokens ?? Math.floor(blockSize / 4), Math.floor(blockSize / 2)));
}

/**
 * Turns as tokens, cut to fit: whole turns from the front, and of the last one, when it alone is too long, the beginning of its text.
 * @throws MG_CHAT_MODEL, MG_OPTION_VALUE
 */
export function chatPrompt(
  tokenizer: Tokenizer,
  said: readonly Turn[],
  blockSize: number,
  options: ChatPromptOptions = {},
): ChatPrompt {
  requireNames('chatPrompt', options, PROMPT_NAMES);
  requireTurns(said);
  const { maxTokens, compat, exchanges } = options;
  const roles = requireRoles(tokenizer);
  const read = lastExchanges(said, exchanges);
  const turns =
    compat === 'rust'
      ? said
      : read.map(({ role, content }): Turn => ({ role, content: inSmallLetters(tokenizer, content) }));
  const unknown = [...new Set(turns.slice(-1).flatMap((turn) => tokenizer.encode(turn.content).unknown))];
  const all = turns.map((turn) => turnTokens(tokenizer, roles, turn));
  if (compat === 'rust') {
    const tokens = [...all.flat(), roles.assistant];
    const tokensCut = Math.max(0, tokens.length - Math.max(1, blockSize - 1));
    return { tokens: tokens.slice(tokensCut), turnsLeftOut: 0, tokensCut, unknown };
  }
  const front = tokenizer.bos === null ? [] : [tokenizer.bos];
  const room = Math.max(2, blockSize - replyRoom(blockSize, maxTokens) - front.length - 1);
  let first = all.length;
  let used = 0;
  while (first > 0 && used + all[first - 1].length <= room) used += all[--first].length;
  // A conversation begins with the user: an answer without its question is left out too.
  while (first > 0 && first < all.length - 1 && turns[first].role === 'assistant') first++;
  if (first < all.length || all.length === 0) {
    const tokens = [...front, ...all.slice(first).flat(), roles.assistant];
    return { tokens, turnsLeftOut: first, tokensCut: 0, unknown };
  }
  const last = all[all.length - 1];
  const tokensCut = last.length - room;
  const tokens = [...front, last[0], ...last.slice(1 + tokensCut), roles.assistant];
  return { tokens, turnsLeftOut: all.length - 1, tokensCut, unknown };
}

/** The turns from the last so many things that the user said on; all where no number is given. */
export function lastExchanges(turns: readonly Turn[], exchanges: number | undefined): readonly Turn[] {
  let left = exchanges ?? Number.POSITIVE_INFINITY;
  let first = turns.length;
  while (first > 0 && left > 0) if (turns[--first].role === 'user') left--;
  return turns.slice(first);
}

/**
 * How many exchanges, the last included, a model can make sense of: the file of one that learned from short conversations says so.
 * Undefined for any number.
 */
export function exchangesOf({ run }: Pick<Checkpoint, 'run'>): number | undefined {
  const exchanges = run?.['exchanges'];
  return typeof exchanges === 'number' && Number.isSafeInteger(exchanges) && exchanges >= 1 ? exchanges : undefined;
}

/** What a model is given to read of these turns. @throws MG_CHAT_MODEL */
export function promptOf(model: ChatModel, turns: readonly Turn[], options: ReplyOptions): ChatPrompt {
  const { maxTokens, compat } = options;
  return chatPrompt(model.tokenizer, turns, model.config.blockSize, {
    maxTokens,
    compat,
    exchanges: exchangesOf(model),
  });
}

/** The reply to these turns as a sample to be drawn. Its draws are numbered by the turns of the user before it. @throws MG_CHAT_MODEL */
export function planReply(model: ChatModel, turns: readonly Turn[], options: ReplyOptions): SamplePlan {
  const { config, tokenizer } = model;
  const { blockSize, vocabSize } = config;
  const roles = requireRoles(tokenizer);
  const { tokens } = promptOf(model, turns, options);
  const number = Math.max(0, turns.filter((turn) => turn.role === 'user').length - 1);
  const { seed = 42, compat, maxTokens } = options;
  const silent = [tokenizer.bos, roles.user, roles.assistant];
  let sampling = samplingOf(options, tokenizer);
  if (compat === undefined) {
    // Nobody speaks out of turn. Replies of the Rust system may hold such tokens, which have no text.
    const bias = new Map(sampling.bias);
    for (const token of silent) if (token !== null) bias.set(token, Number.NEGATIVE_INFINITY);
    sampling = { ...sampling, bias };
  }
  const choose = (attempt: number): Choose =>
    createChoose(sampling, vocabSize, compat === 'rust' ? rustDraw(seed) : counterDraw(seed, attempt), silent);
  return {
    start: tokens,
    firstSample: number,
    ends: endTokens(vocabSize, [roles.end]),
    window: undefined,
    room: Math.min(maxTokens ?? Number.POSITIVE_INFINITY, Math.max(0, blockSize - tokens.length + 1)),
    choose,
    sampling,
    running: compat !== undefined,
  };
}
