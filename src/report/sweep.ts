/**
 * The trials of a sweep, ranked: a table for the terminal and one HTML page that needs nothing else.
 * Refuses to know: files and processes. Invariant: a trial that failed is listed with its reason, never left out.
 */
import { count } from '../base/count.js';
import { escapeHtml } from './chart.js';
import { STYLE } from './page.js';
import { scatter } from './scatter.js';

export interface Outcome {
  readonly number: number;
  readonly folder: string;
  readonly values: Readonly<Record<string, string | number | boolean>>;
  /** On held-out text, or where there is none the mean over the last tenth of training; null for a trial that did not end well. */
  readonly loss: number | null;
  readonly heldOut: boolean;
  readonly seconds: number;
  readonly parameters: number | null;
  readonly failed: string | null;
}

export interface Ranked extends Outcome {
  /** No trial that took as little time, or less, has a lower loss; and the same with parameters. */
  readonly bestForTime: boolean;
  readonly bestForSize: boolean;
}

/** By loss; those without one at the end, in their order. */
export function rank(outcomes: readonly Outcome[]): Ranked[] {
  const done = outcomes.filter((one) => one.loss !== null);
  const leads = (one: Outcome, cost: (of: Outcome) => number): boolean =>
    one.loss !== null &&
    !done.some((other) => {
      const [a, b] = [other.loss as number, one.loss as number];
      return cost(other) <= cost(one) && a <= b && (cost(other) < cost(one) || a < b);
    });
  return [...outcomes]
    .sort((a, b) => (a.loss ?? Number.POSITIVE_INFINITY) - (b.loss ?? Number.POSITIVE_INFINITY) || a.number - b.number)
    .map((one) => ({
      ...one,
      bestForTime: leads(one, (of) => of.seconds),
      bestForSize: leads(one, (of) => of.parameters ?? Number.POSITIVE_INFINITY),
    }));
}

export const lossName = (heldOut: boolean): string => (heldOut ? 'validation loss' : 'training loss');

const counted = (n: number | null): string => (n === null ? '' : count(n));

function cells(trials: readonly Ranked[]): {
  readonly names: readonly string[];
  readonly rows: readonly (readonly string[])[];
} {
  const settings = [...new Set(trials.flatMap((trial) => Object.keys(trial.values)))];
  const heldOut = trials.some((trial) => trial.heldOut);
  return {
    names: ['', ...settings, lossName(heldOut), 'seconds', 'parameters', 'best for its', 'folder'],
    rows: trials.map((trial, i) => [
      String(i + 1),
      ...settings.map((name) => String(trial.values[name] ?? '')),
      trial.loss?.toFixed(4) ?? '–',
      trial.seconds.toFixed(1),
      counted(trial.parameters),
      [trial.bestForTime ? 'time' : '', trial.bestForSize ? 'size' : ''].filter((word) => word !== '').join(', '),
      trial.failed === null ? trial.folder : `${trial.folder}: ${trial.failed}`,
    ]),
  };
}

export function sweepLines(trials: readonly Ranked[]): string[] {
  const { names, rows } = cells(trials);
  const widths = names.map((name, c) => Math.max(name.length, ...rows.map((row) => (row[c] as string).length)));
  return [names, ...rows].map((row) =>
    row
      .map((cell, c) => (c >= names.length - 2 ? cell.padEnd(widths[c] as number) : cell.padStart(widths[c] as number)))
      .join('  ')
      .trimEnd(),
  );
}

export function sweepPage(name: string, trials: readonly Ranked[]): string {
  const { names, rows } = cells(trials);
  const done = trials.filter((trial) => trial.loss !== null);
  const title = (trial: Ranked) =>
    Object.entries(trial.values)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ');
  const points = (cost: (trial: Ranked) => number, best: (trial: Ranked) => boolean) =>
    done.map((trial, i) => ({
      x: cost(trial),
      y: trial.loss as number,
      strong: best(trial),
      label: String(i + 1), // as in the table
      title: title(trial),
    }));
  const row = (tag: string, texts: readonly string[]) =>
    `<tr>${texts.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  return [
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(name)}</title>`,
    `<style>${STYLE}\nbody { max-width: 1000px; } .wide { overflow-x: auto; } table { font-variant-numeric: tabular-nums; }</style>`,
    `<h1>${escapeHtml(name)}</h1><p class="about">${done.length} of ${trials.length} trials, the lowest loss first; the numbers in the charts are those of the table. Filled: no trial that took as little has a lower loss.</p>`,
    scatter(
      'Loss and seconds of training',
      points(
        (trial) => trial.seconds,
        (trial) => trial.bestForTime,
      ),
    ),
    scatter(
      'Loss and parameters',
      points(
        (trial) => trial.parameters ?? 0,
        (trial) => trial.bestForSize,
      ),
    ),
    `<div class="wide"><table>${row('th', names)}${rows.map((texts) => row('td', texts)).join('')}</table></div></html>`,
  ].join('\n');
}
