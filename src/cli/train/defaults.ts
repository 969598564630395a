/**
 * What `train --help` says of defaults: the settings of each recipe, each with the flag that changes it.
 * Invariant: the numbers are those of the recipes themselves.
 */
import { RECIPES, type Recipe } from '../../train/recipes.js';
import { count } from '../output.js';

/** A star where sizes.ts decides by the text, and by --time. */
const ROWS: readonly (readonly [flag: string, value: (recipe: Recipe) => number | string, byText?: boolean])[] = [
  ['--n-embd', ({ model }) => model.nEmbd, true],
  ['--n-head', ({ model }) => model.nHead, true],
  ['--n-layer', ({ model }) => model.nLayer, true],
  ['--block-size', ({ model }) => model.blockSize, true],
  ['--activation', ({ model }) => model.activation],
  ['--steps', ({ steps }) => count(steps), true],
  ['--batch-size', ({ batchSize }) => batchSize, true],
  ['--lr', ({ adam }) => adam.learningRate, true],
  ['--schedule', ({ schedule }) => schedule],
  ['--warmup', ({ warmup }) => warmup],
  ['--weight-decay', ({ adam }) => adam.weightDecay, true],
  ['--clip', ({ clip }) => clip],
  ['--dropout', ({ dropout }) => dropout, true],
  ['--validation', ({ data }) => data.validation],
  ['--temperature', ({ temperature }) => temperature],
];

/** A line for each setting, a column for each recipe. */
export function defaultsTable(): string {
  const recipes: readonly Recipe[] = Object.values(RECIPES);
  const cell = (recipe: Recipe, [, value, byText]: (typeof ROWS)[number]) =>
    recipe.name === 'standard' && byText ? '*' : String(value(recipe));
  const lines = [
    ['Defaults', ...recipes.map(({ name }) => name)],
    ...ROWS.map((row) => [row[0], ...recipes.map((recipe) => cell(recipe, row))]),
  ];
  const text = lines.map(([flag, ...cells]) =>
    `  ${flag.padEnd(16)}${cells.map((c) => c.padEnd(13)).join('')}`.trimEnd(),
  );
  return `${text.join('\n')}\n  * by the text, and by --time; said before the first step`;
}
