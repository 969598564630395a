/**
 * Conversations: turns in, the model's next turn out, bit by bit.
 * A conversation is read as it was in training: BOS, then for each turn the token of who speaks, the text, the token of its end; then the
 * token of the assistant, and from there on the model writes.
 * Refuses to know: screens. Invariant: text never becomes a role token, because encoding knows no way to make one; and what is read always
 * leaves room for a reply.
 */
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { createChoose } from '../generate/filters.js';
import { endTokens } from '../generate/generate.js';
import { counterDraw, rustDraw } from '../generate/sampler.js';
import { createScheduler, type End } from '../generate/scheduler.js';
import type { RoleTokens, Tokenizer } from '../tokenizer/tokenizer.js';
import { createEngine } from './engine.js';
import { type GenerateOptions, requireSampling, type SamplingOptions } from './generate-options.js';
import { requireWhole } from './options.js';
import { createPauses } from './pause.js';
import { samplingOf } from './plan.js';

export interface Turn {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

export interface ChatOptions extends SamplingOptions, Pick<GenerateOptions, 'backend' | 'threads'> {
  /** Most tokens of a reply. */
  readonly maxTokens?: number | undefined;
  /** `rust`: as the Rust system chats: no BOS, the oldest tokens cut off wherever that is, reply t drawn from the stream of seed + t. */
  readonly compat?: 'rust' | undefined;
}

/** What the model is given to read. */
export interface ChatPrompt {
  readonly tokens: readonly number[];
  /** Turns that had to be left out, the oldest first, and tokens of the last turn that had to be cut off. */
  readonly turnsLeftOut: number;
  readonly tokensCut: number;
  /** Characters that the model does not know. */
  readonly unknown: readonly string[];
}

export interface ReplyEvent {
  readonly text: string;
  /** At the last event, why the reply ended: its `end` token, its length, the context, or because it was cancelled. */
  readonly end: 'token' | 'length' | 'context' | 'cancelled' | null;
}

export interface Chat {
  /** All turns so far. */
  readonly turns: readonly Turn[];
  /** What the next reply would be given to read, were this said. */
  prompt(text: string): ChatPrompt;
  /** Says something and streams the reply; a cancelled reply is kept as far as it came. */
  say(
    text: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<ReplyEvent, void, undefined>;
  /** Settings for the replies that follow. */
  set(options: Pick<ChatOptions, 'seed' | 'temperature'>): void;
  clear(): void;
  close(): void;
}

/** @throws MG_CHAT_MODEL when the model was not trained on conversations. */
export function requireRoles(tokenizer: Tokenizer): RoleTokens {
  if (tokenizer.roles !== null) return tokenizer.roles;
  throw new MicrogptError(
    'MG_CHAT_MODEL',
    'this model was not trained on conversations: it has no tokens for who speaks',
    'train one on conversations: microgpt train --format chat --data FILE.jsonl; or use microgpt generate',
  );
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
 * @throws MG_CHAT_MODEL
 */
export function chatPrompt(
  tokenizer: Tokenizer,
  turns: readonly Turn[],
  blockSize: number,
  { maxTokens, compat }: Pick<ChatOptions, 'maxTokens' | 'compat'> = {},
): ChatPrompt {
  const roles = requireRoles(tokenizer);
  const unknown = [...new Set(turns.slice(-1).flatMap((turn) => tokenizer.encode(turn.content).unknown))];
  const all = turns.map((turn) => turnTokens(tokenizer, roles, turn));
  if (compat === 'rust') {
    const tokens = [...all.flat(), roles.assistant];
    const tokensCut = Math.max(0, tokens.length - (blockSize - 1));
    return { tokens: tokens.slice(tokensCut), turnsLeftOut: 0, tokensCut, unknown };
  }
  const front = tokenizer.bos === null ? [] : [tokenizer.bos];
  const room = Math.max(2, blockSize - replyRoom(blockSize, maxTokens) - front.length - 1);
  let first = all.length;
  let used = 0;
  while (first > 0 && used + all[first - 1].length <= room) used += all[--first].length;
  // A conversation begins with the user: an answer without its question is left out too.
  while (first < all.length - 1 && turns[first].role === 'assistant') first++;
  if (first < all.length || all.length === 0) {
    return {
      tokens: [...front, ...all.slice(first).flat(), roles.assistant],
      turnsLeftOut: first,
      tokensCut: 0,
      unknown,
    };
  }
  const last = all[all.length - 1];
  const tokensCut = last.length - room;
  const cut = [last[0], ...last.slice(1 + tokensCut)];
  return { tokens: [...front, ...cut, roles.assistant], turnsLeftOut: all.length - 1, tokensCut, unknown };
}

/** Opens a conversation; it holds an engine until it is closed. @throws MG_CHAT_MODEL, MG_OPTION_VALUE */
export function createChat(model: Checkpoint, options: ChatOptions = {}): Chat {
  const { config, tokenizer } = model;
  const { compat, maxTokens } = options;
  const roles = requireRoles(tokenizer);
  requireSampling(options, config.vocabSize);
  requireWhole('maxTokens', maxTokens ?? 1, 1);
  const engine = createEngine(options.backend ?? 'auto', config, model.parameters, { threads: options.threads });
  const decoder = engine.decoder(1);
  const scheduler = createScheduler(decoder, config.blockSize, config.vocabSize);
  const silent = [tokenizer.bos, roles.user, roles.assistant];
  let settings: SamplingOptions = options;
  let turns: Turn[] = [];
  let asked = 0; // turns of the user since the start or the last clear

  /** Nobody may speak out of turn: but for `compat`, where such tokens may come and are passed over. */
  function chooseFor(reply: number) {
    const sampling = samplingOf(settings, tokenizer);
    const { seed = 42 } = settings;
    if (compat === 'rust') {
      const draw = rustDraw(BigInt(seed) + BigInt(reply));
      return createChoose(sampling, config.vocabSize, (weights) => draw(weights, 0, 0), silent);
    }
    const bias = new Map(sampling.bias);
    for (const token of silent) if (token !== null) bias.set(token, Number.NEGATIVE_INFINITY);
    return createChoose({ ...sampling, bias }, config.vocabSize, counterDraw(seed), silent);
  }

  const promptFor = (text: string) =>
    chatPrompt(tokenizer, [...turns, { role: 'user', content: text }], config.blockSize, { maxTokens, compat });

  async function* say(text: string, { signal }: { readonly signal?: AbortSignal | undefined } = {}) {
    const { tokens } = promptFor(text);
    const reply = asked++;
    const stream = tokenizer.decoder();
    const pauses = createPauses();
    let said = '';
    let arrived = '';
    let end: End | null = null;
    turns = [...turns, { role: 'user', content: text }];
    const handle = scheduler.add({
      start: tokens,
      sample: reply,
      choose: chooseFor(reply),
      ends: endTokens(config.vocabSize, [roles.end]),
      maxTokens: maxTokens ?? Number.POSITIVE_INFINITY,
      onToken(token) {
        arrived += stream.push(token);
        return true;
      },
      onEnd(ended) {
        end = ended;
      },
    });
    const finished = (): End | null => end;
    try {
      while (finished() === null) {
        if (signal?.aborted) handle.cancel();
        scheduler.turn();
        const ended = finished();
        if (ended?.reason === 'failed') throw ended.error;
        if (ended !== null) arrived += stream.end();
        said += arrived;
        const event: ReplyEvent = { text: arrived, end: ended === null ? null : endOf(ended.reason) };
        arrived = '';
        if (event.text !== '' || event.end !== null) yield event;
        await pauses.pause();
      }
    } finally {
      handle.cancel();
      if (finished() === null) scheduler.turn(); // the reader went away
      pauses.close();
      turns = [...turns, { role: 'assistant', content: said }];
    }
  }

  return {
    get turns() {
      return turns;
    },
    prompt: promptFor,
    say,
    set(changed) {
      requireSampling({ ...settings, ...changed }, config.vocabSize);
      settings = { ...settings, ...changed };
    },
    clear() {
      turns = [];
      asked = 0;
    },
    close: () => engine.close(),
  };
}

function endOf(reason: End['reason']): ReplyEvent['end'] {
  return reason === 'failed' || reason === 'stopped' ? 'cancelled' : reason;
}
