/** Numbers as colours: below zero blue, above orange, zero the colour of the card. Read from the style, so that both themes work. */
import { useEffect, useState } from 'preact/hooks';

type Colour = readonly [number, number, number];

const read = (name: string): Colour => {
  const [r, g, b] = getComputedStyle(document.documentElement).getPropertyValue(name).split(',').map(Number);
  return [r, g, b];
};

export interface Palette {
  readonly low: Colour;
  readonly zero: Colour;
  readonly high: Colour;
}

export const palette = (): Palette => ({ low: read('--low'), zero: read('--zero'), high: read('--high') });

/** Changes whenever the colours do. */
export function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const changed = () => setVersion((n) => n + 1);
    const watcher = new MutationObserver(changed);
    watcher.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', changed);
    return () => {
      watcher.disconnect();
      system.removeEventListener('change', changed);
    };
  }, []);
  return version;
}

/** Paints values [rows, columns], one pixel each; `most` is as strong as colour gets. */
export function paint(
  canvas: HTMLCanvasElement,
  values: ArrayLike<number>,
  rows: number,
  columns: number,
  most: number,
): void {
  canvas.width = columns;
  canvas.height = rows;
  const context = canvas.getContext('2d');
  if (context === null || rows === 0 || columns === 0) return;
  const { low, zero, high } = palette();
  const image = context.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const share = Math.max(-1, Math.min(1, values[i] / (most || 1)));
    const end = share < 0 ? low : high;
    const strength = Math.sqrt(Math.abs(share)); // small numbers are to be seen too
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = Math.round(zero[c] + (end[c] - zero[c]) * strength);
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

/** The size that nearly all numbers stay below, so that one outlier does not pale the rest. */
export function usualMost(values: ArrayLike<number>): number {
  const sizes = Float64Array.from(values, Math.abs).sort();
  return sizes[Math.floor(sizes.length * 0.99)] || sizes.at(-1) || 1;
}
