/**
 * Points as SVG text, the horizontal axis logarithmic. No script, no outside file.
 */
import { count } from '../base/count.js';
import { log } from '../base/math.js';
import { escapeHtml, roundTicks } from './chart.js';

export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly strong: boolean;
  /** Beside the point: where to find it in a list. */
  readonly label: string;
  readonly title: string;
}

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [760, 300, 60, 24, 16, 36];
const COLOUR = '#2a6fdb';

export function scatter(title: string, marks: readonly Mark[]): string {
  const shown = marks.filter(({ x, y }) => x > 0 && Number.isFinite(y));
  if (shown.length === 0) return '';
  const xs = shown.map(({ x }) => log(x));
  const ys = shown.map(({ y }) => y);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const ticks = roundTicks(Math.min(...ys), Math.max(...ys));
  const [low, high] = [ticks[0] as number, ticks.at(-1) as number];
  const x = (value: number) =>
    LEFT + (WIDTH - LEFT - RIGHT) * (right > left ? (log(value) - left) / (right - left) : 0.5);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (high > low ? 1 - (value - low) / (high - low) : 0.5);
  const ends = [...new Set([Math.min(...shown.map((mark) => mark.x)), Math.max(...shown.map((mark) => mark.x))])];
  const parts = [
    ...ticks.map(
      (tick) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick).toFixed(1)}" y2="${y(tick).toFixed(1)}"/>` +
        `<text x="${LEFT - 8}" y="${(y(tick) + 4).toFixed(1)}" text-anchor="end">${Number(tick.toPrecision(4))}</text>`,
    ),
    ...ends.map(
      (end) =>
        `<text x="${x(end).toFixed(1)}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${count(Number(end.toPrecision(3)))}</text>`,
    ),
    ...shown.map(
      (mark) =>
        `<circle cx="${x(mark.x).toFixed(1)}" cy="${y(mark.y).toFixed(1)}" r="5" stroke="${COLOUR}" fill="${mark.strong ? COLOUR : 'none'}">` +
        `<title>${escapeHtml(`${mark.title}: ${mark.y.toFixed(4)}`)}</title></circle>` +
        `<text x="${(x(mark.x) + 9).toFixed(1)}" y="${(y(mark.y) - 6).toFixed(1)}">${escapeHtml(mark.label)}</text>`,
    ),
  ];
  return `<figure><figcaption>${escapeHtml(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${parts.join('')}</svg></figure>`;
}
