/**
 * The curve of a run: the loss of each step, smoothed, the validation loss, and the line of blind guessing.
 * Refuses to know: where the numbers come from. Invariant: at most POINTS points are drawn, each the mean of its steps.
 */
import type { EvalEvent } from 'microgpt';
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { t } from '../texts';
import { count, fixed } from '../texts/numbers';

const POINTS = 400;
const HEIGHT = 215;
/** From the beginning on, the chart shows so much below the line of guessing, as a share of it: the curve moves, the axis does not. */
const ROOM = 0.35;

interface Curve {
  readonly losses: readonly number[];
  /** How many of them there are: they grow in place. */
  readonly seen: number;
  /** The step before the first. */
  readonly from: number;
  readonly evals: readonly EvalEvent[];
  readonly steps: number;
  readonly guessing: number;
  readonly tokens: number;
}

/** [steps, loss, smoothed loss, validation, guessing] */
function dataOf({ losses, seen, from, evals, steps, guessing }: Curve): UPlot.AlignedData {
  const width = Math.max(1, Math.ceil(seen / POINTS));
  const points = new Map<number, { raw: number | null; smooth: number | null; validation: number | null }>();
  const sums = new Float64Array(seen + 1); // sums[i] is that of the first i losses
  for (let i = 0; i < seen; i++) sums[i + 1] = sums[i] + losses[i];
  const mean = (i: number, end: number) => (sums[end] - sums[i]) / (end - i);
  for (let i = 0; i < seen; i += width) {
    const end = Math.min(seen, i + width);
    // As far back as ahead, so that the line does not trail behind where the loss falls fast.
    const reach = Math.min(Math.ceil(steps / 40), i);
    points.set(from + end, {
      raw: mean(i, end),
      smooth: mean(i - reach, Math.min(seen, end + reach)),
      validation: null,
    });
  }
  for (const { step, loss } of evals) {
    const point = points.get(step) ?? { raw: null, smooth: null, validation: null };
    points.set(step, { ...point, validation: loss });
  }
  const empty = { raw: null, smooth: null, validation: null };
  for (const edge of [0, steps]) if (!points.has(edge)) points.set(edge, empty);
  const x = [...points.keys()].sort((a, b) => a - b);
  const all = x.map((step) => points.get(step) ?? empty);
  return [
    x,
    all.map(({ raw }) => raw),
    all.map(({ smooth: value }) => value),
    all.map(({ validation }) => validation),
    x.map(() => guessing),
  ];
}

const colour = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function optionsFor(width: number, curve: Curve, read: (said: string) => void): UPlot.Options {
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT,
    scales: {
      x: { time: false, range: [0, curve.steps] },
      y: {
        range: (_, low, high) => [
          Math.max(0, Math.min(low - 0.1, (1 - ROOM) * curve.guessing)),
          Math.max(high, curve.guessing) + 0.15,
        ],
      },
    },
    axes: [
      { ...axis, size: 32, values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? count(tick) : '')) },
      { ...axis, size: 44 },
    ],
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    series: [
      { label: t.train.chart.step },
      { label: t.train.chart.raw, stroke: colour('--faint'), width: 1, points: { show: false }, spanGaps: true },
      {
        label: t.train.chart.smooth,
        stroke: colour('--accent'),
        width: 2.5,
        points: { show: false },
        spanGaps: true,
      },
      {
        label: t.train.chart.validation,
        stroke: colour('--second'),
        width: 2,
        spanGaps: true,
        points: { show: true, size: 6, fill: colour('--second') },
      },
      {
        label: t.train.chart.guessing(count(curve.tokens), fixed(curve.guessing, 2)),
        stroke: colour('--muted'),
        width: 1.5,
        dash: [6, 5],
        points: { show: false },
      },
    ],
    legend: { live: false, markers: { width: 2, dash: (_, i) => (i === 4 ? 'dashed' : 'solid') } },
    hooks: { setCursor: [(plot) => read(saidAt(plot.data, plot.cursor.idx))] },
  };
}

/** What the curve says at a place of its data; '' where there is none. */
function saidAt(data: UPlot.AlignedData, at: number | null | undefined): string {
  if (at == null) return '';
  const [step, raw, smooth, validation] = [data[0][at], data[1]?.[at], data[2]?.[at], data[3]?.[at]];
  const parts = [
    raw == null ? null : t.train.chart.at(t.train.chart.raw, fixed(raw)),
    smooth == null ? null : t.train.chart.at(t.train.chart.smooth, fixed(smooth)),
    validation == null ? null : t.train.chart.at(t.train.chart.validation, fixed(validation)),
  ].filter((part) => part !== null);
  return parts.length === 0 ? '' : `${t.train.chart.step} ${count(step)}: ${parts.join(', ')}`;
}

export function Chart(curve: Curve) {
  const readout = useRef<HTMLParagraphElement>(null);
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const latest = useRef(curve);
  latest.current = curve;
  const { steps, guessing, tokens } = curve;

  useEffect(() => {
    const box = place.current as HTMLDivElement;
    const read = (said: string) => {
      if (readout.current !== null) readout.current.textContent = said || t.train.chart.hint;
    };
    const make = () => {
      plot.current?.destroy();
      plot.current = new UPlot(optionsFor(box.clientWidth, latest.current, read), dataOf(latest.current), box);
    };
    make();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: box.clientWidth, height: HEIGHT }));
    resized.observe(box);
    // Colours are read when the chart is made.
    const themed = new MutationObserver(make);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', make);
    return () => {
      resized.disconnect();
      themed.disconnect();
      system.removeEventListener('change', make);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [steps, guessing, tokens]);

  useEffect(() => {
    plot.current?.setData(dataOf(curve));
  }, [curve.seen, curve.evals, curve.losses]);

  const last = curve.losses.at(-1);
  const said =
    last === undefined
      ? t.train.chart.empty
      : t.train.chart.said(fixed(last, 2), count(curve.from + curve.seen), fixed(guessing, 2));
  return (
    <>
      <p class="note readout" ref={readout} aria-hidden="true">
        {t.train.chart.hint}
      </p>
      <div class="chart" ref={place} role="img" aria-label={said} />
    </>
  );
}
