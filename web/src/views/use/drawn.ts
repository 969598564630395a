/** Samples as they come, with what else could have stood at each place. */
import type { SampleEvent } from 'microgpt';
import { stream } from '../../engine/client';
import type { SamplingStream } from '../../engine/protocol';

export interface Place {
  /** Why it stands there; 'cut': the sample had no more room. */
  readonly kind: 'given' | 'drawn' | 'end' | 'cut';
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
    const { places } = samples[sample];
    const push = (kind: Place['kind'], text: string, token: number | null) =>
      places.push({ kind, text, token, top: (token === null ? undefined : top) ?? [] });
    if (end === null) push(token === null ? 'given' : 'drawn', text, token);
    else {
      if (text !== '') push('drawn', text, null); // bytes that make no character
      if (end !== 'cancelled') push(end === 'token' ? 'end' : 'cut', '', token);
      samples[sample].ended = true;
    }
    if (!asked) requestAnimationFrame(give);
    asked = true;
  });
  return { ...drawing, done: drawing.done.finally(give) };
}

export const textOf = ({ places }: Drawn): string => places.map(({ text }) => text).join('');
