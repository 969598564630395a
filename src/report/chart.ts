/**
 * A line chart as SVG text: axes with round numbers, one line per series, a legend. No script, no outside file.
 */
import type { Point } from './curves.js';

export interface Series {
  readonly name: string;
  readonly points: readonly Point[];
  /** A CSS colour. */
  readonly colour: string;
}

const WIDTH = 760;
const HEIGHT = 300;
const LEFT = 60;
const RIGHT = 16;
const TOP = 16;
const BOTTOM = 36;

/** `level` is a horizontal line with a name of its own. */
export function lineChart(
  title: string,
  series: readonly Series[],
  level?: { readonly name: string; readonly value: number },
): string {
  const shown = series.filter((one) => one.points.length > 0);
  const all = shown.flatMap((one) => one.points);
  if (all.length === 0) return '';
  const values = [...all.map((point) => point.value), ...(level === undefined ? [] : [level.value])];
  const yTicks = roundTicks(least(values), most(values));
  const [low, high] = [yTicks[0], yTicks[yTicks.length - 1]];
  const last = most(all.map((point) => point.step));
  const x = (step: number) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / Math.max(1, last);
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (high - low));

  const parts = [
    ...yTicks.map(
      (value) =>
        `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${f(y(value))}" y2="${f(y(value))}"/>` +
        `<text x="${LEFT - 8}" y="${f(y(value) + 4)}" text-anchor="end">${label(value)}</text>`,
    ),
    ...roundTicks(0, last)
      .filter((step) => step <= last)
      .map((step) => `<text x="${f(x(step))}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${label(step)}</text>`),
    ...(level === undefined
      ? []
      : [
          `<line class="level" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${f(y(level.value))}" y2="${f(y(level.value))}"/>`,
          `<text x="${WIDTH - RIGHT}" y="${f(y(level.value) - 5)}" text-anchor="end">${escapeHtml(level.name)}</text>`,
        ]),
    ...shown.map((one) => {
      const path = one.points
        .map((point, i) => `${i === 0 ? 'M' : 'L'}${f(x(point.step))} ${f(y(point.value))}`)
        .join('');
      const dots = one.points.length <= 40 ? one.points : [];
      const marks = dots.map(
        (p) => `<circle cx="${f(x(p.step))}" cy="${f(y(p.value))}" r="2.5" fill="${one.colour}"/>`,
      );
      return `<path d="${path}" fill="none" stroke="${one.colour}" stroke-width="1.8"/>${marks.join('')}`;
    }),
  ];
  const legend = shown
    .map((one) => `<span><i style="background:${one.colour}"></i>${escapeHtml(one.name)}</span>`)
    .join(' ');
  return (
    `<figure><figcaption>${escapeHtml(title)} <small>${legend}</small></figcaption>` +
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(title)}">${parts.join('')}</svg></figure>`
  );
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

/** Round numbers in even distances that enclose both ends. */
export function roundTicks(from: number, to: number): number[] {
  const span = to > from ? to - from : Math.abs(to) || 1;
  const size = 10 ** (span.toExponential().split('e').map(Number)[1] ?? 0);
  const unit = [0.1, 0.2, 0.25, 0.5, 1, 2].map((share) => share * size).find((step) => span / step <= 8) ?? size;
  const first = Math.floor(from / unit);
  const count = Math.max(1, Math.ceil((to > from ? to : from + span) / unit - 1e-9) - first);
  return Array.from({ length: count + 1 }, (_, i) => Number(((first + i) * unit).toPrecision(12)));
}

function label(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(0);
  return Math.abs(value) >= 10_000 ? `${Number((value / 1000).toPrecision(4))}k` : String(value);
}

const f = (value: number) => value.toFixed(1);
// Of long lists, for which Math.min(...list) has too many arguments.
const least = (values: readonly number[]) => values.reduce((a, b) => Math.min(a, b));
const most = (values: readonly number[]) => values.reduce((a, b) => Math.max(a, b));
