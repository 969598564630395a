import { expect, test } from 'vitest';
import type { StepEvent } from '../../train/events.js';
import { duration, size } from '../output.js';
import { createProgress } from './progress.js';

/** 1,000 steps, one every 10 ms, onto a screen that remembers. */
function run(isTTY: boolean, columns = 80) {
  let [time, text] = [0, ''];
  const screen = {
    isTTY,
    columns,
    write: (s: string) => {
      text += s;
    },
  };
  const progress = createProgress(screen, () => time);
  for (let step = 1; step <= 1000; step++) {
    time += 10;
    const event: StepEvent = {
      type: 'step',
      step,
      steps: 1000,
      loss: 3 - step / 1000,
      learningRate: 0.01,
      gradNorm: null,
      predictions: 7,
    };
    progress.event(event);
  }
  progress.end();
  return text;
}

test('on a terminal: one line, rewritten', () => {
  const text = run(true);
  expect(text.split('\n')).toHaveLength(2);
  const drawn = text.split('\r\u001b[K');
  expect(drawn.length).toBeGreaterThan(50);
  expect(drawn.length).toBeLessThan(200);
  expect(drawn[51]).toBe('step  501/1000  loss 2.5235  0:05 left  700 tokens/s  lr 0.01');
  for (const line of drawn) expect(line.trimEnd().length).toBeLessThan(80);
});

test('on a narrow terminal no number is cut', () => {
  const lines = run(true, 45).split('\r\u001b[K').slice(1);
  for (const line of lines) expect(line.trimEnd().length).toBeLessThan(45);
  expect(lines[50]).toBe('step  501/1000  loss 2.5235  0:05 left');
  expect(run(true, 10)).toContain('\r\u001b[Kstep  501');
});

test('a slow first step says nothing about the time that is left', () => {
  let [time, text] = [0, ''];
  const screen = { isTTY: true, columns: 80, write: (s: string) => (text += s) };
  const progress = createProgress(screen, () => time);
  const after = (ms: number, step: number) => {
    time += ms;
    const numbers = { loss: 3, learningRate: 0.01, gradNorm: null, predictions: 7 };
    progress.event({ type: 'step', step, steps: 1000, ...numbers });
    return text.split('\r\u001b[K').at(-1);
  };
  expect(after(900, 1)).not.toContain('left'); // 15 minutes, by this step
  expect(after(100, 2)).not.toContain('left');
  expect(after(3000, 3)).toContain('49:51 left'); // slow steps are as slow as that
});

test('elsewhere: plain lines, ten of them and the first', () => {
  const text = run(false);
  expect(text).not.toContain('\r');
  const lines = text.trimEnd().split('\n');
  expect(lines).toHaveLength(11);
  expect(lines.at(-1)).toBe('step 1000/1000  loss 2.0245  0:00 left  700 tokens/s  lr 0.01');
});

test('sizes and durations', () => {
  expect([7, 75, 3600, 3725.2].map(duration)).toEqual(['0:07', '1:15', '1:00:00', '1:02:06']);
  expect([999, 91_200, 3_400_000].map(size)).toEqual(['999 bytes', '91.2 KB', '3.4 MB']);
});
