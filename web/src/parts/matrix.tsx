/** A matrix of numbers as a picture, one square a number. The squares are as large as fits. */
import { useEffect, useRef } from 'preact/hooks';
import { paint, useTheme } from './colours';

interface Matrix {
  readonly values: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  /** As strong as colour gets. */
  readonly most: number;
  /** What it shows; '' where the words beside it say so. */
  readonly label: string;
  readonly class?: string;
}

export function Matrix({ values, rows, columns, most, label, class: kind = '' }: Matrix) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  useEffect(() => {
    if (canvas.current !== null) paint(canvas.current, values, rows, columns, most);
  }, [values, rows, columns, most, theme]);
  const named = label === '' ? { 'aria-hidden': true } : { role: 'img' as const, 'aria-label': label };
  return <canvas ref={canvas} class={`matrix ${kind}`} {...named} />;
}
