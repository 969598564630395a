/**
 * Two runs side by side: what was set differently, where their courses part, and how they fared at the same steps.
 */
import { type Difference, differences } from '../train/settings.js';
import { curvesOf } from './curves.js';
import type { Metric, RunLog } from './record.js';

export interface Comparison {
  readonly settings: readonly Difference[];
  /** The first step whose numbers differ; null when they agree as far as both went. */
  readonly firstDifference: { readonly step: number; readonly before: Metric; readonly now: Metric } | null;
  /** Steps that both logs have. */
  readonly common: number;
  readonly rows: readonly {
    readonly step: number;
    readonly loss: readonly [number | null, number | null];
    readonly validation: readonly [number | null, number | null];
  }[];
}

const ROWS = 12;

export function compareRuns(a: RunLog, b: RunLog): Comparison {
  const settings = [
    ...differences(a.record.settings, b.record.settings),
    ...differences(a.record.config, b.record.config, 'model').filter(({ name }) => name === 'model.vocabSize'),
    ...differences(a.record.data.sha256, b.record.data.sha256, 'data.sha256'),
    ...differences(a.record.initFrom, b.record.initFrom, 'initFrom'),
  ];
  const steps = ({ metrics }: RunLog) =>
    new Map(metrics.flatMap((metric) => (metric.type === 'step' ? [[metric.step, metric] as const] : [])));
  const [before, now] = [steps(a), steps(b)];
  const common = [...before.keys()].filter((step) => now.has(step));
  const parted = common.find((step) => JSON.stringify(before.get(step)) !== JSON.stringify(now.get(step)));
  const [ca, cb] = [curvesOf(a.metrics, ROWS), curvesOf(b.metrics, ROWS)];
  const places = [...new Set([...ca.loss, ...cb.loss].map((point) => point.step))].sort((x, y) => x - y);
  const at = (points: readonly { step: number; value: number }[], step: number, from: number) =>
    points.findLast((point) => point.step <= step && point.step > from)?.value ?? null;
  return {
    settings,
    firstDifference:
      parted === undefined
        ? null
        : { step: parted, before: before.get(parted) as Metric, now: now.get(parted) as Metric },
    common: common.length,
    rows: places.map((step, i) => {
      const from = i === 0 ? 0 : places[i - 1];
      return {
        step,
        loss: [at(ca.loss, step, from), at(cb.loss, step, from)],
        validation: [at(ca.validation, step, from), at(cb.validation, step, from)],
      };
    }),
  };
}
