/**
 * What a run leaves behind, as plain data: its record (run.json) and its log (metrics.jsonl).
 * Refuses to know: files and clocks. Invariant: nothing here depends on threads or on how long anything took, so equal runs leave equal
 * records and logs.
 */
import { MicrogptError } from '../base/errors.js';
import type { ModelConfig } from '../model/config.js';
import { RECIPES } from '../train/recipes.js';
import { type DataFacts, type RunSettings, settingsFromJson } from '../train/settings.js';

export interface RunRecord {
  readonly format: 'microgpt run';
  readonly version: 1;
  readonly name: string;
  readonly settings: RunSettings;
  readonly config: ModelConfig;
  readonly parameters: number;
  readonly data: DataFacts;
  /** Who computed its large matrix products when it began, where that was not the kernels (--accelerate). */
  readonly computedBy?: readonly string[];
  /** The model whose weights it started from, if any. */
  readonly initFrom: string | null;
  /** Steps between two saves, where somebody said so: how a run is saved changes nothing that it computes. */
  readonly saveEvery?: number;
}

export type Metric =
  | {
      readonly type: 'step';
      readonly step: number;
      readonly loss: number;
      readonly learningRate: number;
      readonly gradNorm: number | null;
    }
  | { readonly type: 'eval'; readonly step: number; readonly loss: number; readonly bitsPerCharacter: number }
  | { readonly type: 'sample'; readonly step: number; readonly texts: readonly string[] };

export interface RunLog {
  readonly record: RunRecord;
  readonly metrics: readonly Metric[];
}

/** The record in the text of a run.json. @throws MG_RUN_INVALID */
export function readRecord(text: string, source: string): RunRecord {
  try {
    return recordOf((JSON.parse(text) as { readonly settings?: unknown } | null)?.settings, source);
  } catch (error) {
    if (error instanceof MicrogptError) throw error;
    throw invalid(source, 'is not JSON');
  }
}

/** @throws MG_RUN_INVALID when it is not the record of a run. */
export function recordOf(value: unknown, source: string): RunRecord {
  const record = value as Partial<RunRecord> | null | undefined;
  if (typeof record !== 'object' || record === null || record.format !== 'microgpt run') {
    throw invalid(source, 'is not the record of a run');
  }
  if (record.version !== 1) throw invalid(source, `has version ${String(record.version)}, this microgpt reads 1`);
  for (const part of ['settings', 'config', 'data'] as const) {
    if (typeof record[part] !== 'object' || record[part] === null) throw invalid(source, `has no ${part}`);
  }
  const { saveEvery = 1 } = record;
  if (!Number.isSafeInteger(saveEvery) || saveEvery < 1) {
    throw invalid(source, `has saveEvery ${String(saveEvery)}, expected a whole number from 1`);
  }
  const { name: recipe, about: _, ...like } = RECIPES.standard;
  const settings = settingsFromJson<RunSettings>({ ...like, recipe, seed: '', backend: '' }, record.settings, source);
  return { ...(record as RunRecord), settings };
}

/** The log of a run; a last line that was cut off by a crash does not count. @throws MG_RUN_INVALID */
export function readMetrics(text: string, source: string): Metric[] {
  const lines = text.split('\n');
  const metrics: Metric[] = [];
  for (const [i, line] of lines.entries()) {
    if (line === '') continue;
    try {
      metrics.push(JSON.parse(line) as Metric);
    } catch {
      if (i < lines.length - 1) throw invalid(source, `line ${i + 1} is not JSON`);
    }
  }
  return metrics;
}

function invalid(source: string, what: string): MicrogptError {
  return new MicrogptError(
    'MG_RUN_INVALID',
    `${source} ${what}`,
    'give the folder of a run, as microgpt train makes it',
  );
}
