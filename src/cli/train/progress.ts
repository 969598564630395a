/**
 * The progress of a training run: one line that is rewritten on a terminal, a plain line now and then elsewhere. Other lines (samples,
 * warnings) may come in between.
 * Refuses to know: how training works. Invariant: steps are counted from the events, time from the clock it is given.
 */
import type { TrainEvent } from '../../train/events.js';
import { counted, duration } from '../output.js';

export interface ProgressScreen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Whether to say how long it will take. */
  readonly eta?: boolean;
  /** Whether to say how long a step takes. */
  readonly timing?: boolean;
}

const REDRAW_MS = 100;
const WINDOW = { least: 10, most: 100 }; // steps that the loss is averaged over: a twentieth of the run
const SURE_MS = 3000; // before that, or so many steps, the speed says nothing about the time that is left: the first step takes longest
const SURE_STEPS = 20;
const SPEED_WINDOW_MS = 2000; // how far back the speed looks, so that it forgets the slow first steps

export interface Progress {
  event(event: TrainEvent): void;
  /** A line above the progress line. */
  say(line: string): void;
  /** Leaves the last state on the screen. */
  end(): void;
}

type Step = Extract<TrainEvent, { type: 'step' }>;

/** `now` is a clock in milliseconds. */
export function createProgress(
  screen: ProgressScreen,
  now: () => number,
  { eta = true, timing = false }: ProgressOptions = {},
): Progress {
  const began = now();
  let marks = [{ time: began, step: 0, tokens: 0 }];
  const recent: number[] = [];
  let tokens = 0;
  let validation: number | null = null;
  let gradNorm: number | null = null;
  let drawn = Number.NEGATIVE_INFINITY;
  let last: Step | null = null;
  let shown = 0;

  function line(event: Step): readonly string[] {
    const seconds = Math.max(now() - marks[0].time, 1e-3) / 1000;
    const speed = Math.max(event.step - marks[0].step, 1e-9) / seconds;
    const isSure = event.step - marks[0].step >= SURE_STEPS;
    const step = String(event.step).padStart(String(event.steps).length);
    return [
      `step ${step}/${event.steps}`,
      `loss ${(recent.reduce((a, b) => a + b, 0) / recent.length).toFixed(4)}`,
      ...(validation === null ? [] : [`val ${validation.toFixed(4)}`]),
      ...(eta && (isSure || now() - began > SURE_MS) ? [`${duration((event.steps - event.step) / speed)} left`] : []),
      `${short((tokens - marks[0].tokens) / seconds)} tokens/s`,
      `lr ${Number(event.learningRate.toPrecision(2))}`,
      ...(gradNorm === null ? [] : [`grad ${Number(gradNorm.toPrecision(2))}`]),
      ...(timing ? [`${Number((1000 / speed).toPrecision(3))} ms/step`] : []),
    ];
  }

  function draw(event: Step): void {
    drawn = now();
    marks.push({ time: drawn, step: event.step, tokens });
    const old = marks.findLastIndex((mark) => drawn - mark.time >= SPEED_WINDOW_MS);
    if (old > 0) marks = marks.slice(old);
    shown = event.step;
    const parts = line(event);
    if (screen.isTTY) screen.write(`\r\u001b[K${fitting(parts, (screen.columns || 80) - 1)}`);
    else screen.write(`${parts.join('  ')}\n`);
  }

  function step(event: Step): void {
    if (last === null) marks[0].step = event.step - 1; // a run that goes on does not begin at 0
    last = event;
    tokens += event.predictions;
    recent.push(event.loss);
    gradNorm = event.gradNorm ?? gradNorm;
    if (recent.length > Math.min(WINDOW.most, Math.max(WINDOW.least, event.steps / 20))) recent.shift();
    const due = screen.isTTY
      ? now() - drawn >= REDRAW_MS
      : shown === 0 || event.step % Math.max(1, Math.round(event.steps / 10)) === 0;
    if (due || event.step === event.steps) draw(event);
  }

  return {
    event(event) {
      if (event.type === 'step') step(event);
      else if (event.type === 'eval') validation = event.loss;
    },
    say(text) {
      screen.write(screen.isTTY ? `\r\u001b[K${text}\n` : `${text}\n`);
      if (screen.isTTY && last !== null) draw(last);
    },
    end() {
      if (last !== null && shown !== last.step) draw(last);
      if (screen.isTTY && last !== null) screen.write('\n');
    },
  };
}

/** As many of the parts as a line holds: half a number would be another one. */
function fitting(parts: readonly string[], width: number): string {
  let line = parts[0].slice(0, width);
  for (const part of parts.slice(1)) {
    if (line.length + 2 + part.length > width) break;
    line += `  ${part}`;
  }
  return line;
}

/** 830, 12.3k, 1.20M */
function short(n: number): string {
  if (n < 1000) return n.toFixed(0);
  return n < 1e6 ? `${Number((n / 1e3).toPrecision(3))}k` : `${Number((n / 1e6).toPrecision(3))}M`;
}

/** For the end: how many steps and how long. */
export function spent(steps: number, seconds: number): string {
  const time =
    seconds < 1 ? `${Math.ceil(seconds * 1000)} ms` : seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds);
  return `${counted(steps, 'step')}, ${time}`;
}
