/** Samples as they come, with what else could have stood at each place. */
import type { SampleEvent } from 'microgpt';
import { stream } from '../../engine/client';
import type { SamplingStream } from '../../engine/protocol';

export interface Place {
  /** Of one token; special ones have none. */
  readonly text: string;
  readonly token: number | null;
  readonly top: NonNullable<SampleEvent['top']>;
}

export interface Drawn {
  readonly places: readonly Place[];
  readonly ended: boolean;
}

/** Draws and hands over all samples whenever there is more of them, at most once a frame. */
export function draw(request: SamplingStream, show: (samples: readonly Drawn[]) => void): ReturnType<typeof stream> {
  const samples: { places: Place[]; ended: boolean }[] = [];
  let asked = false;
  const give = () => {
    asked = false;
    show(samples.map(({ places, ended }) => ({ places: [...places], ended })));
  };
  const drawing = stream(request, ({ sample, text, token, top, end }) => {
    for (let i = samples.length; i <= sample; i++) samples.push({ places: [], ended: false });
    if (text !== '' || token !== null) samples[sample].places.push({ text, token, top: top ?? [] });
    if (end !== null) samples[sample].ended = true;
    if (!asked) requestAnimationFrame(give);
    asked = true;
  });
  return { ...drawing, done: drawing.done.finally(give) };
}

export const textOf = ({ places }: Drawn): string => places.map(({ text }) => text).join('');
