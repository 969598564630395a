/**
 * A curve in a terminal: braille dots, two across and four down in each character.
 */
import type { Point } from './curves.js';

const DOTS = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

/** What stands left of the curve in each line: a number and a mark, in characters. */
export const AXIS_WIDTH = 8;

/** Lines of text, `width` × `height` characters without the axis. */
export function terminalCurve(points: readonly Point[], width: number, height: number): string[] {
  if (points.length < 2) return [];
  const values = points.map((point) => point.value);
  const low = values.reduce((a, b) => Math.min(a, b));
  const high = values.reduce((a, b) => Math.max(a, b));
  const last = points[points.length - 1].step;
  const cells = Array.from({ length: height }, () => new Uint8Array(width));
  const row = (value: number) => Math.round((height * 4 - 1) * (1 - (value - low) / (high - low || 1)));
  let below: number | null = null;
  for (let column = 0; column < width * 2; column++) {
    const y = row(valueAt(points, ((column + 0.5) / (width * 2)) * last));
    // A steep stretch is a column of dots, so that the curve has no gaps.
    const from = below === null || Math.abs(below - y) <= 1 ? y : y + Math.sign(below - y);
    for (let dot = Math.min(y, from); dot <= Math.max(y, from); dot++) {
      cells[dot >> 2][column >> 1] |= DOTS[column & 1][dot & 3];
    }
    below = y;
  }
  return cells.map((line, i) => {
    const mark = i === 0 ? high.toFixed(2) : i === height - 1 ? low.toFixed(2) : '';
    return `${mark.padStart(6)} ┤${[...line].map((cell) => String.fromCharCode(0x2800 + cell)).join('')}`;
  });
}

/** Straight lines between the points; before the first its value. */
function valueAt(points: readonly Point[], step: number): number {
  const next = points.findIndex((point) => point.step >= step);
  if (next <= 0) return points[next === 0 ? 0 : points.length - 1].value;
  const [a, b] = [points[next - 1], points[next]];
  return a.value + ((b.value - a.value) * (step - a.step)) / (b.step - a.step);
}
