/**
 * The results of a benchmark as lines of text. Knows no measuring.
 */
import type { BenchRow } from '../../engine/bench.js';
import type { BenchJob } from '../../engine/bench-job.js';
import type { StepsRow } from '../../engine/bench-steps.js';
import { count, counted } from '../output.js';

const rounded = (x: number): string => count(Number(x.toPrecision(3)));

const COLUMNS: readonly (readonly [string, (row: BenchRow) => string])[] = [
  ['backend', (row) => row.backend],
  ['threads', (row) => `${row.threads}${row.threads > 1 && !row.shared ? '*' : ''}`],
  ['steps/s', (row) => rounded(row.stepsPerSecond.best)],
  ['median', (row) => rounded(row.stepsPerSecond.median)],
  ['tokens/s', (row) => rounded(row.tokensPerSecond.best)],
  ['GFLOP/s', (row) => rounded(row.gflops.best)],
  ['peak', (row) => (row.peakGflops === null ? '–' : rounded(row.peakGflops))],
  ['share', (row) => (row.shareOfPeak === null ? '–' : `${(100 * row.shareOfPeak).toFixed(0)} %`)],
  ['generate 1', (row) => rounded(row.decode.one.best)],
  ['generate 32', (row) => rounded(row.decode.sideBySide.best)],
];

export function benchTable(job: BenchJob, rows: readonly BenchRow[]): string[] {
  const cells = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, c) => Math.max(...cells.map((line) => line[c].length)));
  const lines = cells.map((line) =>
    line.map((cell, c) => (c === 0 ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join('  '),
  );
  for (const { backend, check } of rows.slice(0, 1)) {
    const what = check.sequences === 1 ? 'sequence' : `${check.sequences} sequences`;
    lines.unshift(
      `checked: first loss ${check.loss.toFixed(6)} on the first ${what}; ${backend} and reference differ by ${check.relative.toExponential(1)}`,
      '',
    );
  }
  lines.push('');
  if (rows.some((row) => row.threads > 1 && !row.shared)) {
    lines.push('* steps of this size are too small to share, or slower shared at this moment; one thread takes them');
  }
  const best = rows.reduce((a, b) => (b.fullRunSeconds < a.fullRunSeconds ? b : a));
  const how = best.backend === 'wasm' ? `wasm, ${counted(best.threads, 'thread')}` : best.backend;
  lines.push(`Full run (${counted(job.steps, 'step')}) would take ~${roughly(best.fullRunSeconds)} (${how})`);
  return lines;
}

/** The first steps of a run: what they took, and what the rest would take. */
export function stepsLines(job: BenchJob, row: StepsRow): string[] {
  const { backend, threads, steps, seconds, stepsPerSecond, medianStep, remaining, remainingSeconds } = row;
  const how = backend === 'wasm' ? `wasm, ${counted(threads, 'thread')}` : backend;
  const each = medianStep < 1 ? `${Number((1000 * medianStep).toPrecision(2))} ms` : roughly(medianStep);
  return [
    `Benchmark: ${counted(steps, 'step')} in ${seconds < 0.1 ? `${Number((1000 * seconds).toPrecision(2))} ms` : `${seconds.toFixed(2)} s`} (${rounded(stepsPerSecond)} steps/s; ${how})`,
    `Full run (${counted(job.steps, 'step')}): ${
      remainingSeconds === null
        ? 'no steps remain'
        : `the remaining ${count(remaining)} would take ~${roughly(remainingSeconds)}, at ${each} a step`
    }`,
  ];
}

/** 0.01 s, 12 s, 8m 11s, 2h 05m */
export function roughly(seconds: number): string {
  if (seconds < 9.95) return `${Number(seconds.toPrecision(seconds < 1 ? 1 : 2))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}m ${two(whole % 60)}s`;
  return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
}
