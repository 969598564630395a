/** How a lesson checks itself: against the model of the page, with the engine's own numbers. */
import { ask, stream } from '../../engine/client';
import { LIVE } from '../../engine/protocol';
import { current } from '../../state';
import { type Lesson, lessons } from '../../texts';
import { count, fixed } from '../../texts/numbers';

export interface Outcome {
  readonly passed: boolean;
  readonly said: string;
}

const BELOW = 0.5; // nats under the line of guessing
const LAST = 50; // steps

export const checks: Record<Lesson, () => Promise<Outcome>> = {
  async loss() {
    const { losses, prepared } = current().run;
    if (prepared === null || losses.length === 0) return missing('loss');
    const last = losses.slice(-LAST);
    const loss = last.reduce((a, b) => a + b, 0) / last.length;
    const passed = loss < prepared.guessing - BELOW;
    const say = passed ? lessons.loss.passed : lessons.loss.failed;
    return { passed, said: say(fixed(loss, 2), fixed(prepared.guessing, 2)) };
  },

  async mask() {
    const model = modelId();
    if (model === null) return missing('mask');
    const { tokens, attention, heads } = await ask('see', { model, text: current().text, moment: null });
    const T = tokens.length;
    if (T < 5) return { passed: false, said: lessons.mask.failed };
    let [above, wrong, worst] = [0, 0, 0];
    for (const layer of attention) {
      for (let row = 0; row < heads * T; row++) {
        const at = row % T;
        let sum = 0;
        for (let k = 0; k < T; k++) {
          const share = layer[row * T + k];
          sum += share;
          if (k <= at) continue;
          above++;
          if (share !== 0) wrong++;
        }
        worst = Math.max(worst, Math.abs(sum - 1));
      }
    }
    const rows = attention.length * heads * T;
    return {
      passed: wrong === 0 && worst < 1e-4,
      said: lessons.mask.passed(count(above), count(rows), worst.toExponential(0)),
    };
  },

  async junk() {
    const { samples } = current().run;
    const [first, last] = [samples.find(({ step }) => step === 0), samples.at(-1)];
    if (first === undefined || last === undefined || last.step === 0) return missing('junk');
    const bits = async (texts: readonly string[]) => {
      const scores = await ask('score', { model: LIVE, texts });
      const characters = scores.reduce((sum, { text }) => sum + [...text].length, 0);
      return scores.reduce((sum, score) => sum + score.bits, 0) / Math.max(1, characters);
    };
    const [before, after] = [await bits(first.texts), await bits(last.texts)];
    const passed = after < before;
    const say = passed ? lessons.junk.passed : lessons.junk.failed;
    return { passed, said: say(fixed(before, 2), fixed(after, 2)) };
  },

  async temperature() {
    const model = modelId();
    if (model === null) return missing('temperature');
    const different = async (temperature: number) => {
      const texts: string[] = Array.from({ length: 20 }, () => '');
      await stream({ model, options: { samples: 20, temperature, seed: 42, maxTokens: 40 } }, ({ sample, text }) => {
        texts[sample] += text;
      }).done;
      return new Set(texts).size;
    };
    const [cold, hot] = [await different(0.1), await different(1.5)];
    const passed = cold < hot;
    const say = passed ? lessons.temperature.passed : lessons.temperature.failed;
    return { passed, said: say(count(cold), count(hot)) };
  },
};

const modelId = () => current().model ?? current().models[0]?.id ?? null;
const missing = (lesson: Lesson): Outcome => ({ passed: false, said: lessons[lesson].missing });
