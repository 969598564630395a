/**
 * A run of samples: text as it comes, stop strings, demands that are guaranteed, texts that must not come out. Driven by a scheduler's turns.
 * Refuses to know: timers, screens. Invariants: sample i is the same however many are asked for and whatever runs beside it; every sample
 * that is given out meets all demands.
 */
import { symbolsOf } from '../generate/constraints/acceptor.js';
import { createExclusions, descend, type Exclusions } from '../generate/constraints/exclusions.js';
import { createWalk, type Walk } from '../generate/constraints/walk.js';
import { probabilities } from '../generate/sampler.js';
import type { End, Scheduler } from '../generate/scheduler.js';
import { createStopStrings } from '../generate/stop-strings.js';
import { constraintOf, impossible } from './demands.js';
import { type GenerateOptions, hasExclusions, stopsOf } from './generate-options.js';
import type { Model, SamplePlan } from './plan.js';
import { type TokenLogprob, tokenLogprobs } from './prompt-logprobs.js';

/** What happens to a sample; its texts one after the other are the prompt and what follows it. */
export interface SampleEvent {
  /** From 0. */
  readonly sample: number;
  /** More of its text; '' while a character or a stop string is incomplete. */
  readonly text: string;
  /** The token that brought it; null for the prompt, at the end, and where whole samples are given out. */
  readonly token: number | null;
  /** The likeliest tokens at its place, likeliest first, where `top` asks for them; at the end, if a token brought it. */
  readonly top?: readonly Likely[];
  /** ln of its probability as the model thinks (temperature 1, no filters), where `logprobs` is given; and the likeliest of its place. */
  readonly logprob?: number;
  readonly likely?: readonly TokenLogprob[];
  /** At its last event, why it ended. */
  readonly end: Exclude<End['reason'], 'failed'> | null;
}

/** What a reader who is behind can ask for: that no further sample begins, and that those in the making wait in their places. */
export interface Pace {
  readonly mayBegin?: (() => boolean) | undefined;
  readonly mayGoOn?: (() => boolean) | undefined;
}

/** A token and its probability. */
export interface Likely {
  readonly token: number;
  readonly probability: number;
}

export interface SampleRun {
  /** Hands samples to the scheduler, as many at once as it has places; more follow as they end. @throws MG_GEN_IMPOSSIBLE */
  refill(): void;
  /** All samples have been given out. */
  done(): boolean;
  /** MG_GEN_NONFINITE or MG_GEN_IMPOSSIBLE, once it happened; null before. */
  failure(): unknown;
  /** Ends whatever is in the making, within a token. */
  cancel(): void;
}

/**
 * So many tokens a sample may be ahead of the one that is farthest behind: whoever gives them out in turns has to hold what comes before its
 * turn. A sample that waits for a place makes those before it wait, and these then give it theirs.
 */
const MOST_AHEAD = 16;

/** How often a sample that must not come out is drawn anew before it is led around the texts that are excluded. */
const ATTEMPTS = 8;

/** A place where samples that are complete wait for those before them. */
interface Finished {
  readonly text: string;
  readonly end: SampleEvent['end'];
  readonly attempt: number;
}

/**
 * Prepares a run; nothing is computed until the scheduler takes its turns. `emit` gets the events of a sample in order; samples may
 * alternate, except where some texts are excluded: then each comes whole, in order.
 * @throws MG_GEN_PATTERN, MG_GEN_IMPOSSIBLE when not even one sample can meet the demands.
 */
export function createSampleRun(
  scheduler: Scheduler,
  model: Model,
  plan: SamplePlan,
  options: GenerateOptions,
  emit: (event: SampleEvent) => void,
  { mayBegin = () => true, mayGoOn }: Pace = {},
): SampleRun {
  const { samples = 1, prompt = '', temperature = 0.5, logprobs } = options;
  const { vocabSize } = model.config;
  const constraint = constraintOf(model, options, plan, prompt);
  const whole = hasExclusions(options);
  const excluded = new Set<string>([...(options.exclude ?? []), ...(options.notInTraining ?? [])]);
  const finished = new Map<number, Finished>();
  const parked = new Set<number>(); // samples whose last attempt waits until all before them are out
  const atOnce = plan.running ? 1 : scheduler.places;
  const likeliest = options.top ? createTop(options.top, temperature, vocabSize) : null;
  let tree: Exclusions | null = null;
  let begun = 0;
  let out = 0; // samples given out
  let failure: unknown = null;
  const active = new Set<{ cancel(): void }>();
  const making = new Set<{ drawn: number }>(); // tokens of each sample in the making
  let least = 0; // of these, or fewer

  function isAhead(own: { readonly drawn: number }): boolean {
    if (own.drawn - least < MOST_AHEAD) return false;
    least = own.drawn;
    for (const { drawn } of making) least = Math.min(least, drawn);
    return own.drawn - least >= MOST_AHEAD;
  }

  function texts(): Exclusions {
    if (tree === null) {
      tree = createExclusions(constraint!.plan.tokens.alphabet);
      for (const text of excluded) tree.add(text);
    }
    return tree;
  }

  /** Leads around the excluded texts in the last attempt. */
  function walkFor(attempt: number, sample: number): Walk | null {
    if (constraint === null) return null;
    const last = attempt === ATTEMPTS;
    if (!last && !constraint.demanded) return null;
    const { alphabet } = constraint.plan.tokens;
    const node = last ? descend(texts().root, symbolsOf(prompt, alphabet)) : null;
    const walk = createWalk(constraint.plan, constraint.cache, node);
    if (!walk.possible) throw impossible(options, sample);
    return walk;
  }

  function begin(sample: number, attempt: number): void {
    const walk = walkFor(attempt, sample);
    const stream = model.tokenizer.decoder();
    const stops = stopsOf(options);
    const watch = stops.length > 0 ? createStopStrings(stops) : null;
    let text = prompt;
    let seen: Pick<SampleEvent, 'top' | 'logprob' | 'likely'> | undefined; // of the token drawn last
    const choose = plan.choose(attempt);
    if (!whole && prompt !== '') emit({ sample, text: prompt, token: null, end: null });
    const own = { drawn: 0 };
    making.add(own);
    least = 0;
    const handle = scheduler.add({
      start: plan.start,
      sample: plan.firstSample + sample,
      choose:
        !likeliest && logprobs === undefined
          ? choose
          : (logits, from, sequence) => {
              const token = choose(logits, from, sequence);
              seen = {
                ...(likeliest ? { top: likeliest(logits, from) } : {}),
                ...(logprobs === undefined ? {} : tokenLogprobs(logits, from, vocabSize, token, logprobs)),
              };
              return token;
            },
      ready: whole || mayGoOn === undefined ? mayGoOn : () => mayGoOn() && !isAhead(own),
      ends: plan.ends,
      maxTokens: plan.room,
      window: plan.window,
      mask: walk === null ? undefined : () => walk.mask(),
      onToken(token) {
        own.drawn++;
        const arrived = stream.push(token);
        const more = watch === null ? arrived : watch.push(arrived);
        if (whole) text += more;
        else
          emit(
            seen === undefined
              ? { sample, text: more, token, end: null }
              : { sample, text: more, token, end: null, ...seen },
          );
        if (watch?.stopped()) return false;
        return walk === null || walk.take(token);
      },
      onEnd({ reason, error }) {
        active.delete(handle);
        making.delete(own);
        if (reason === 'failed') {
          failure ??= error;
          return;
        }
        const rest = watch === null ? stream.end() : watch.stopped() ? '' : watch.push(stream.end()) + watch.end();
        if (reason === 'cancelled') return;
        try {
          if (whole) settle(sample, { text: text + rest, end: reason, attempt });
          else {
            const top = reason === 'token' ? seen?.top : undefined;
            emit({ sample, text: rest, token: null, end: reason, ...(top === undefined ? {} : { top }) });
            out++;
            next();
          }
        } catch (impossible) {
          failure ??= impossible;
        }
      },
    });
    active.add(handle);
  }

  function next(): void {
    if (begun < samples && begun - out < atOnce && mayBegin()) begin(begun++, 0);
  }

  /** A sample is complete: gives it out when its turn has come, or tries again. */
  function settle(sample: number, result: Finished): void {
    if (excluded.has(result.text)) retry(sample, result.attempt);
    else finished.set(sample, result);
    release();
  }

  function retry(sample: number, attempt: number): void {
    const again = temperature === 0 ? ATTEMPTS : attempt + 1;
    if (again < ATTEMPTS) begin(sample, again);
    else parked.add(sample);
  }

  /** Gives out what is complete and in order; a sample's last attempt begins when all before it are known. */
  function release(): void {
    for (let ready = finished.get(out); ready !== undefined; ready = finished.get(out)) {
      finished.delete(out);
      if (options.unique && excluded.has(ready.text)) {
        retry(out, ready.attempt);
        break;
      }
      if (options.unique) {
        excluded.add(ready.text);
        tree?.add(ready.text);
      }
      emit({ sample: out, text: ready.text, token: null, end: ready.end });
      out++;
      next();
    }
    if (!parked.delete(out)) return;
    begin(out, ATTEMPTS);
  }

  return {
    refill() {
      for (let before = -1; before !== begun; ) {
        before = begun;
        next();
      }
    },
    done: () => out === samples,
    failure: () => failure,
    cancel() {
      for (const handle of active) handle.cancel();
    },
  };
}

/** The likeliest tokens after the temperature (1 where it is 0), before filters; equal ones by id. */
function createTop(count: number, temperature: number, vocabSize: number) {
  const weights = new Float64Array(vocabSize);
  return (logits: ArrayLike<number>, from: number): Likely[] =>
    Array.from(probabilities(logits, temperature || 1, weights, from), (probability, token) => ({ token, probability }))
      .sort((a, b) => b.probability - a.probability || a.token - b.token)
      .slice(0, count);
}
