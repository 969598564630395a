/**
 * What is demanded of samples, made ready for a model: the automaton over its tokens, and the error when nothing can meet it.
 */
import { MicrogptError } from '../base/errors.js';
import { createAcceptor } from '../generate/constraints/acceptor.js';
import { createWalk, type MaskCache, type WalkPlan } from '../generate/constraints/walk.js';
import { type GenerateOptions, hasDemands, hasExclusions } from './generate-options.js';
import { type Model, type SamplePlan, tokenSymbols } from './plan.js';

export interface Constraint {
  readonly plan: WalkPlan;
  readonly cache: MaskCache;
  /** Something is demanded of the form; otherwise only exclusions, which matter in the last attempt alone. */
  readonly demanded: boolean;
}

/** Null where anything may come out. @throws MG_GEN_PATTERN, MG_GEN_IMPOSSIBLE */
export function constraintOf(
  model: Model,
  options: GenerateOptions,
  plan: SamplePlan,
  prompt: string,
): Constraint | null {
  if (!hasDemands(options) && !hasExclusions(options)) return null;
  const tokens = tokenSymbols(model.tokenizer);
  const ends = plan.ends.slice();
  const { allowed, bias } = plan.sampling;
  for (let token = 0; token < tokens.symbols.length; token++) {
    if (ends[token] === 1) tokens.symbols[token] = -1;
    if (allowed?.[token] !== 0 && bias?.get(token) !== Number.NEGATIVE_INFINITY) continue;
    tokens.symbols[token] = -1;
    ends[token] = 0;
  }
  const acceptor = createAcceptor(options, tokens, prompt);
  const walkPlan = { acceptor, tokens, ends, room: plan.room };
  if (!createWalk(walkPlan, new Map(), null).possible) throw impossible(options, 0);
  return { plan: walkPlan, cache: new Map(), demanded: hasDemands(options) };
}

/** The error when no other text can meet the demands. */
export function impossible(options: GenerateOptions, found: number): MicrogptError {
  const { samples = 1, minLength, maxLength, startsWith, endsWith, matches, prompt } = options;
  const demands = Object.entries({ prompt: prompt || undefined, minLength, maxLength, startsWith, endsWith, matches })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  if (hasExclusions(options)) demands.push('what is excluded');
  return new MicrogptError(
    'MG_GEN_IMPOSSIBLE',
    `found ${found} of ${samples} samples: no ${found === 0 ? '' : 'other '}text of this model's characters and context meets ${demands.join(', ')}`,
    'demand less, give a model that knows these characters, or one with a longer context',
  );
}
