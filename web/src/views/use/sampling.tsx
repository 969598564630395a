/** How samples are drawn, as a row of fields. */
import type { Sampling } from '../../engine/protocol';
import { Term } from '../../parts/term';
import { glossary, type Term as TermName, t } from '../../texts';
import { fixed } from '../../texts/numbers';

const U = t.use;

export interface Drawing {
  readonly prompt: string;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly samples: number;
  readonly seed: string;
}

export const FIRST_DRAWING: Drawing = { prompt: '', temperature: 0.8, topK: 0, topP: 1, samples: 10, seed: '42' };

export const samplingOf = ({ seed, ...rest }: Drawing): Sampling => ({ ...rest, seed: Number(seed) || 0 });

interface Fields {
  readonly drawing: Drawing;
  readonly change: (part: Partial<Drawing>) => void;
  readonly fields: readonly (keyof Drawing)[];
  /** Tells fields of the same kind apart. */
  readonly id: string;
}

export function SamplingFields({ drawing, change, fields, id }: Fields) {
  const has = (name: keyof Drawing) => fields.includes(name);
  return (
    <>
      {has('prompt') && (
        <Field id={`${id}-prompt`} label={U.prompt} grow>
          <input
            id={`${id}-prompt`}
            value={drawing.prompt}
            dir="auto"
            spellcheck={false}
            onInput={(event) => change({ prompt: event.currentTarget.value })}
          />
        </Field>
      )}
      {has('temperature') && (
        <Slider
          id={`${id}-temperature`}
          label={U.temperature}
          term="temperature"
          value={drawing.temperature}
          most={2}
          said={fixed(drawing.temperature, 2)}
          change={(temperature) => change({ temperature })}
        />
      )}
      {has('topK') && (
        <Field id={`${id}-topk`} label={U.topK} term="topK">
          <input
            id={`${id}-topk`}
            class="short"
            type="number"
            min={0}
            max={100_000}
            placeholder={U.off}
            value={drawing.topK || ''}
            onInput={(event) =>
              event.currentTarget.validity.valid && change({ topK: Number(event.currentTarget.value) })
            }
          />
        </Field>
      )}
      {has('topP') && (
        <Slider
          id={`${id}-topp`}
          label={U.topP}
          term="topP"
          value={drawing.topP}
          most={1}
          said={drawing.topP === 1 ? U.off : fixed(drawing.topP, 2)}
          change={(topP) => change({ topP })}
        />
      )}
      {has('samples') && (
        <Field id={`${id}-samples`} label={U.samples}>
          <input
            id={`${id}-samples`}
            class="short"
            type="number"
            min={1}
            max={200}
            value={drawing.samples}
            onInput={(event) =>
              event.currentTarget.validity.valid && change({ samples: Number(event.currentTarget.value) || 1 })
            }
          />
        </Field>
      )}
      {has('seed') && (
        <Field id={`${id}-seed`} label={U.seed} term="seed">
          <input
            id={`${id}-seed`}
            class="short"
            inputMode="numeric"
            pattern="[0-9]{1,15}"
            value={drawing.seed}
            onInput={(event) => event.currentTarget.validity.valid && change({ seed: event.currentTarget.value })}
          />
        </Field>
      )}
    </>
  );
}

function Field({
  id,
  label,
  term,
  grow,
  children,
}: {
  id: string;
  label: string;
  term?: TermName;
  grow?: boolean;
  children: preact.ComponentChildren;
}) {
  return (
    <div class={`field ${grow ? 'grow' : ''}`}>
      <span>
        <label for={id}>{label}</label>
        {term !== undefined && (
          <Term of={term}>
            ?<span class="hidden"> {glossary[term].word}</span>
          </Term>
        )}
      </span>
      {children}
    </div>
  );
}

function Slider({
  id,
  label,
  term,
  value,
  most,
  said,
  change,
}: {
  id: string;
  label: string;
  term: TermName;
  value: number;
  most: number;
  said: string;
  change: (value: number) => void;
}) {
  return (
    <Field id={id} label={`${label}: ${said}`} term={term}>
      <input
        id={id}
        type="range"
        min={0}
        max={most}
        step={0.05}
        value={value}
        onInput={(event) => change(Number(event.currentTarget.value))}
      />
    </Field>
  );
}
