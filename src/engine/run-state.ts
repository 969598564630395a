/**
 * What a checkpoint carries of its run, so that the run can go on exactly: settings, facts about the text, and where the loop stands.
 * Refuses to know: files. Invariant: a run goes on only with the text and the tokenizer that it was begun with.
 */
import { MicrogptError } from '../base/errors.js';
import type { Checkpoint, JsonValue, RunState } from '../checkpoint/checkpoint.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { RECIPES } from '../train/recipes.js';
import { type DataFacts, type RunSettings, settingsFromJson } from '../train/settings.js';
import type { LoopState } from '../train/trainer.js';

export interface Resumed {
  readonly settings: RunSettings;
  readonly step: number;
  readonly moments: { readonly m: Float64Array; readonly v: Float64Array };
  readonly loop: LoopState;
  readonly computedBy: readonly string[];
  /** @throws MG_RESUME_CHANGED; changed text is let through where `textMayDiffer`. */
  requireSame(data: DataFacts, tokenizer: Tokenizer, textMayDiffer: boolean): void;
}

/** Where a run stands. */
export interface RunNow {
  readonly settings: RunSettings;
  readonly data: DataFacts;
  readonly step: number;
  readonly loop: LoopState;
  readonly computedBy: readonly string[];
}

/**
 * Nothing of it depends on where files lie or on how many threads there were, unless somebody else computed the products, whose bits may.
 * A finished model does without where the loop stands.
 */
export function runOf({ settings, data, step, loop, computedBy }: RunNow, goesOn: boolean): RunState {
  const { path, ...facts } = data;
  const name = path.split(/[\\/]/).pop() ?? path;
  const validation = loop.bestLoss === null ? null : { loss: loop.bestLoss, step: loop.bestStep };
  const others = computedBy.length > 0 ? { computedBy } : {};
  const run = { settings, data: { name, ...facts }, step, validation, ...others, ...(goesOn ? { loop } : {}) };
  return JSON.parse(JSON.stringify(run)) as RunState;
}

/** As checkpoints tell it: texts, or nothing. */
export function computedBy(run: RunState | undefined): readonly string[] {
  const names = run?.['computedBy'];
  return Array.isArray(names) ? names.filter((name) => typeof name === 'string') : [];
}

/** @throws MG_RESUME_IMPOSSIBLE when the checkpoint holds a model but not the state of a run. */
export function resumedFrom({ run, optimizer, tokenizer }: Checkpoint): Resumed {
  if (run === undefined || optimizer?.moments == null || run['loop'] === undefined) {
    throw new MicrogptError(
      'MG_RESUME_IMPOSSIBLE',
      'this file holds a model, but not the state of a training run',
      'give the folder of a run that was stopped, or start a new run from the model with --init-from',
    );
  }
  const { name: recipe, about: _, ...like } = RECIPES.standard;
  const settings = settingsFromJson<RunSettings>(
    { ...like, recipe, seed: '', backend: '' },
    run['settings'],
    'the checkpoint',
  );
  const before = tokenizer;
  const known = run['data'] as { readonly [name: string]: JsonValue };
  return {
    settings,
    step: optimizer.step,
    moments: optimizer.moments,
    loop: run['loop'] as unknown as LoopState,
    computedBy: computedBy(run),
    requireSame(data, now, textMayDiffer) {
      const changed = (what: string) =>
        new MicrogptError(
          'MG_RESUME_CHANGED',
          what,
          'restore what the run was begun with, or start a new run (--init-from keeps the weights)',
        );
      for (const name of ['sha256', 'bytes', 'documents', 'tokens'] as const) {
        if (textMayDiffer || known[name] === data[name]) continue;
        const short = (value: unknown) => (typeof value === 'string' ? `${value.slice(0, 12)}…` : String(value));
        throw changed(
          `${data.path} is not the text that this run was begun with: ${name} was ${short(known[name])}, is ${short(data[name])}`,
        );
      }
      if (before.kind !== now.kind || before.pieces.join('\0') !== now.pieces.join('\0')) {
        throw changed(`the tokenizer was ${before.kind} with ${before.size} tokens, is ${now.kind} with ${now.size}`);
      }
    },
  };
}
