/**
 * Curves of a run: what its log says of each quantity over the steps, smoothed and thinned so that they can be drawn.
 */
import type { Metric } from './record.js';

export interface Point {
  readonly step: number;
  readonly value: number;
}

export interface Curves {
  /** Mean of the losses around each point, nats per token. */
  readonly loss: readonly Point[];
  readonly validation: readonly Point[];
  readonly learningRate: readonly Point[];
  readonly gradNorm: readonly Point[];
}

/** At most `most` points each. Of the losses, which jump about, a point is the mean of its share of the steps. */
export function curvesOf(metrics: readonly Metric[], most = 400): Curves {
  const steps = metrics.filter((metric) => metric.type === 'step');
  const points = (value: (metric: (typeof steps)[number]) => number | null): Point[] =>
    steps.flatMap((metric) => {
      const y = value(metric);
      return y === null ? [] : [{ step: metric.step, value: y }];
    });
  return {
    loss: means(
      points((metric) => metric.loss),
      most,
    ),
    validation: metrics.flatMap((metric) =>
      metric.type === 'eval' ? [{ step: metric.step, value: metric.loss }] : [],
    ),
    learningRate: means(
      points((metric) => metric.learningRate),
      most,
    ),
    gradNorm: means(
      points((metric) => metric.gradNorm),
      most,
    ),
  };
}

function means(points: readonly Point[], most: number): Point[] {
  const share = Math.max(1, Math.ceil(points.length / most));
  const out: Point[] = [];
  for (let from = 0; from < points.length; from += share) {
    const part = points.slice(from, from + share);
    const sum = part.reduce((total, point) => total + point.value, 0);
    out.push({ step: part[part.length - 1].step, value: sum / part.length });
  }
  return out;
}
