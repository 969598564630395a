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
  /** Told which square is pointed at, that none is any more, and which is pressed. */
  readonly point?: (row: number, column: number) => void;
  readonly leave?: () => void;
  readonly press?: (row: number, column: number) => void;
}

export function Matrix({ values, rows, columns, most, label, class: kind = '', point, leave, press }: Matrix) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = useTheme();
  useEffect(() => {
    if (canvas.current !== null) paint(canvas.current, values, rows, columns, most);
  }, [values, rows, columns, most, theme]);
  const named = label === '' ? { 'aria-hidden': true } : { role: 'img' as const, 'aria-label': label };
  const at = (event: MouseEvent, tell: typeof point) => {
    if (tell === undefined || canvas.current === null) return;
    const { left, top, width, height } = canvas.current.getBoundingClientRect();
    const place = (share: number, most: number) => Math.max(0, Math.min(most - 1, Math.floor(share * most)));
    tell(place((event.clientY - top) / height, rows), place((event.clientX - left) / width, columns));
  };
  return (
    <canvas
      ref={canvas}
      class={`matrix ${kind}`}
      {...named}
      onPointerMove={(event) => at(event, point)}
      onPointerLeave={leave}
      onClick={(event) => at(event, press ?? point)}
    />
  );
}
