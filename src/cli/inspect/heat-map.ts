/**
 * Numbers from 0 to 1 as shades of block characters: small maps side by side, for a terminal of any width.
 * Invariant: no line is wider than asked for; each map is whole or, where it cannot be, shows its last rows and columns.
 */

/** From nothing to all; a cell of the map that is there but almost 0 is a dot. */
const SHADES = ['·', '░', '▒', '▓', '█'] as const;

/** One character for a share of attention. */
export function shade(value: number): string {
  if (value < 0.05) return SHADES[0];
  return value < 0.25 ? SHADES[1] : value < 0.5 ? SHADES[2] : value < 0.75 ? SHADES[3] : SHADES[4];
}

export interface HeatMap {
  readonly title: string;
  /** [size,size], row by row; what lies above the diagonal is left blank. */
  readonly values: ArrayLike<number>;
}

/** Triangular maps of one size, as many side by side as fit. `labels`: one character for each row and column. */
export function heatMaps(maps: readonly HeatMap[], labels: readonly string[], width: number): string[] {
  const size = labels.length;
  const gutter = 2; // the label of a row and a space
  const shown = Math.min(size, width - gutter - 1);
  const from = size - shown;
  const wide = Math.max(shown, ...maps.map(({ title }) => Math.min(title.length, width - gutter - 1)));
  const across = Math.max(1, Math.floor((width - gutter + 2) / (wide + 2)));
  const lines: string[] = [];
  for (let first = 0; first < maps.length; first += across) {
    const group = maps.slice(first, first + across);
    const join = (label: string, cell: (map: HeatMap) => string) =>
      `${label} ${group.map((map) => cell(map).padEnd(wide)).join('  ')}`.trimEnd();
    lines.push(join(' ', ({ title }) => title.slice(0, wide)));
    lines.push(join(' ', () => labels.slice(from).join('')));
    for (let row = from; row < size; row++) {
      lines.push(
        join(labels[row], ({ values }) =>
          Array.from({ length: row - from + 1 }, (_, column) => shade(values[row * size + from + column])).join(''),
        ),
      );
    }
    lines.push('');
  }
  return lines;
}
