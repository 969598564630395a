/**
 * microgpt report: one HTML page about a run. microgpt compare: two runs side by side.
 */
import { join } from 'node:path';
import type { Command } from 'commander';
import { LIMITS } from '../base/limits.js';
import { readFileBounded, writeFileDurably } from '../node/files.js';
import { type Comparison, compareRuns } from '../report/compare.js';
import { reportPage, summary } from '../report/page.js';
import { type RunLog, readMetrics, readRecord } from '../report/record.js';
import { count, counted, result, say, size } from './output.js';
import { path } from './values.js';

const RECORD_BYTES = 1_000_000;

export function addReport(program: Command): void {
  program
    .command('report')
    .summary('make one HTML page about a run: curves, samples, settings')
    .argument('<run>', 'the folder of a run, such as models/names')
    .option(
      '-o, --output <file>',
      'where to write it (default: report.html in the folder of the run)',
      path('--output'),
    )
    .addHelpText('after', '\nExample:\n  microgpt report models/names')
    .action(async (folder: string, { output }: { output?: string }) => {
      const log = await readRun(folder);
      const target = output ?? join(folder, 'report.html');
      const page = new TextEncoder().encode(reportPage(log));
      await writeFileDurably(target, page);
      say(summary(log));
      result(`${target} (${size(page.length)})`);
    });

  program
    .command('compare')
    .summary('two runs side by side, and the first step at which they differ')
    .argument('<run>', 'the folder of a run')
    .argument('<other>', 'the folder of another')
    .option('--json', 'print one JSON object instead of tables')
    .addHelpText(
      'after',
      '\nExample:\n  microgpt compare models/names models/other\n\nExit code 0 whether they differ or not; the first line says which.',
    )
    .action(async (first: string, second: string, flags: { json?: true }) => {
      const comparison = compareRuns(await readRun(first), await readRun(second));
      if (flags.json) result(JSON.stringify(comparison));
      else for (const line of comparisonLines(comparison, first, second)) result(line);
    });
}

/** @throws MG_FILE_*, MG_RUN_INVALID */
export async function readRun(folder: string): Promise<RunLog> {
  const read = async (name: string, limit: number) => {
    const file = join(folder, name);
    const bytes = await readFileBounded(file, limit, `${folder} is not the folder of a run; microgpt train makes one`);
    return { file, text: new TextDecoder().decode(bytes) };
  };
  const record = await read('run.json', RECORD_BYTES);
  const metrics = await read('metrics.jsonl', LIMITS.textBytes);
  return { record: readRecord(record.text, record.file), metrics: readMetrics(metrics.text, metrics.file) };
}

function comparisonLines({ settings, firstDifference, common, rows }: Comparison, a: string, b: string): string[] {
  const lines: string[] = [];
  if (common === 0) lines.push('the runs have no step in common');
  else if (firstDifference === null) lines.push(`the same numbers in all ${counted(common, 'step')} that both have`);
  else {
    const { step, before, now } = firstDifference;
    lines.push(
      `the first difference is at step ${count(step)}:`,
      `  ${JSON.stringify(before)}`,
      `  ${JSON.stringify(now)}`,
    );
  }
  lines.push('', settings.length === 0 ? 'settings: the same' : 'settings that differ:');
  for (const { name, before, now } of settings) lines.push(`  ${name}: ${String(before)} → ${String(now)}`);
  const cell = (value: number | null) => (value === null ? '' : value.toFixed(4)).padStart(10);
  lines.push('', `${'step'.padStart(10)}${'loss'.padStart(10)}${''.padStart(10)}${'validation'.padStart(12)}`);
  for (const { step, loss, validation } of rows) {
    lines.push(
      `${count(step).padStart(10)}${cell(loss[0])}${cell(loss[1])}  ${cell(validation[0])}${cell(validation[1])}`.trimEnd(),
    );
  }
  lines.push('', `left of each pair: ${a}, right: ${b}; losses are means since the line above`);
  return lines;
}
