/**
 * The progress of a training run: one line that is rewritten on a terminal, a plain line now and then elsewhere.
 * Refuses to know: how training works. Invariant: steps are counted from the events, time from the clock it is given.
 */
import type { StepEvent } from '../train/trainer.js';
import { count, duration } from './output.js';

export interface ProgressScreen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 100;
const WINDOW = 100; // steps that `mean`, the mean loss, is taken over
const SPEED_WINDOW_MS = 2000; // how far back the speed looks, so that it forgets the slow first steps

export interface Progress {
  step(event: StepEvent): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

/** `now` is a clock in milliseconds. */
export function createProgress(screen: ProgressScreen, now: () => number): Progress {
  let marks = [{ time: now(), step: 0 }];
  const recent: number[] = [];
  let drawn = Number.NEGATIVE_INFINITY;
  let last: StepEvent | null = null;
  let shown = 0;

  function line(event: StepEvent): string {
    const speed = (1000 * (event.step - marks[0].step)) / Math.max(now() - marks[0].time, 1e-6);
    const mean = recent.reduce((a, b) => a + b, 0) / recent.length;
    const step = String(event.step).padStart(String(event.steps).length);
    return [
      `step ${step}/${event.steps}`,
      `loss ${event.loss.toFixed(4)}`,
      `mean ${mean.toFixed(4)}`,
      `${count(Number(speed.toPrecision(3)))} steps/s`,
      `${duration((event.steps - event.step) / speed)} left`,
    ].join('  ');
  }

  function draw(event: StepEvent): void {
    drawn = now();
    marks.push({ time: drawn, step: event.step });
    const old = marks.findLastIndex((mark) => drawn - mark.time >= SPEED_WINDOW_MS);
    if (old > 0) marks = marks.slice(old);
    shown = event.step;
    const text = line(event);
    if (screen.isTTY) screen.write(`\r\u001b[K${text.slice(0, (screen.columns || 80) - 1)}`);
    else screen.write(`${text}\n`);
  }

  return {
    step(event) {
      last = event;
      recent.push(event.loss);
      if (recent.length > WINDOW) recent.shift();
      const due = screen.isTTY
        ? now() - drawn >= REDRAW_MS
        : event.step === 1 || event.step % Math.max(1, Math.round(event.steps / 10)) === 0;
      if (due || event.step === event.steps) draw(event);
    },
    end() {
      if (last !== null && shown !== last.step) draw(last);
      if (screen.isTTY && last !== null) screen.write('\n');
    },
  };
}
