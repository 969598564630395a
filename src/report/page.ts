/**
 * The report of a run: one HTML page that needs nothing else, with curves, samples and settings.
 */
import { count, counted } from '../base/count.js';

import { log } from '../base/math.js';
import { escapeHtml, lineChart } from './chart.js';
import { curvesOf } from './curves.js';
import type { Metric, RunLog } from './record.js';

export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2330; --soft: #667; --line: #dde; --paper: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaf0; --soft: #99a; --line: #334; --paper: #14171d; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 800px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } p.about { color: var(--soft); margin-top: 0; }
figure { margin: 2rem 0; } figcaption { font-weight: 600; } small { font-weight: 400; color: var(--soft); margin-left: 1em; }
small span { margin-right: 1em; } small i { display: inline-block; width: 1em; height: 3px; vertical-align: middle; margin-right: .4em; }
svg { width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
.grid { stroke: var(--line); } .level { stroke: var(--soft); stroke-dasharray: 4 4; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; font-size: 14px; }`;

const BLUE = '#2a6fdb';
const ORANGE = '#d9822b';

export function reportPage({ record, metrics }: RunLog): string {
  const curves = curvesOf(metrics);
  const nothing = log(record.config.vocabSize);
  const charts = [
    lineChart(
      'Loss, nats per token',
      [
        { name: 'training, averaged', points: curves.loss, colour: BLUE },
        { name: 'held-out text', points: curves.validation, colour: ORANGE },
      ],
      { name: `knows nothing: ln ${record.config.vocabSize} = ${nothing.toFixed(2)}`, value: nothing },
    ),
    lineChart('Learning rate', [{ name: 'learning rate', points: curves.learningRate, colour: BLUE }]),
    lineChart('Gradient norm', [{ name: 'before clipping', points: curves.gradNorm, colour: BLUE }]),
  ];
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<title>${escapeHtml(record.name)} - microgpt</title><style>${STYLE}</style>`,
    `<h1>${escapeHtml(record.name)}</h1><p class="about">${escapeHtml(summary({ record, metrics }))}</p>`,
    ...charts,
    samples(metrics),
    '<h2>Settings</h2>',
    table([
      ...flatten({ ...record.settings, model: record.config, data: { ...record.settings.data, ...record.data } }),
      ...(record.computedBy ? [['matrix products, when it began', record.computedBy.join(', then ')] as const] : []),
    ]),
    '</html>\n',
  ].join('\n');
}

/** One sentence: how large, how long, how good. */
export function summary({ record, metrics }: RunLog): string {
  const steps = metrics.filter((metric) => metric.type === 'step');
  const evals = metrics.filter((metric) => metric.type === 'eval');
  const best = evals.reduce<Extract<Metric, { type: 'eval' }> | null>(
    (a, b) => (a === null || b.loss < a.loss ? b : a),
    null,
  );
  const parts = [
    `${counted(record.parameters, 'parameter')}`,
    `${count(steps.at(-1)?.step ?? 0)} of ${counted(record.settings.steps, 'step')}`,
  ];
  const last = meanOfLast(steps.map((metric) => metric.loss));
  if (last !== null) parts.push(`training loss ${last.toFixed(4)} over the last ${Math.min(100, steps.length)} steps`);
  if (best !== null) {
    parts.push(
      `best validation loss ${best.loss.toFixed(4)} (${best.bitsPerCharacter.toFixed(3)} bits per character) at step ${count(best.step)}`,
    );
  }
  return `${parts.join(', ')}.`;
}

function meanOfLast(losses: readonly number[]): number | null {
  const last = losses.slice(-100);
  return last.length === 0 ? null : last.reduce((a, b) => a + b, 0) / last.length;
}

function samples(metrics: readonly Metric[]): string {
  const taken = metrics.filter((metric) => metric.type === 'sample');
  if (taken.length === 0) return '';
  const rows = taken.map(({ step, texts }) => `<tr><td>${count(step)}<td><pre>${escapeHtml(texts.join('\n'))}</pre>`);
  return `<h2>Samples as it learned</h2><table><tr><th>step<th>text${rows.join('')}</table>`;
}

function table(rows: readonly (readonly [string, unknown])[]): string {
  return `<table>${rows.map(([name, value]) => `<tr><td>${escapeHtml(name)}<td>${escapeHtml(String(value))}`).join('')}</table>`;
}

/** Nested plain data as rows with dotted names. */
export function flatten(value: object, at = ''): [string, unknown][] {
  return Object.entries(value).flatMap(([name, inner]): [string, unknown][] =>
    typeof inner === 'object' && inner !== null ? flatten(inner, `${at}${name}.`) : [[`${at}${name}`, inner]],
  );
}
