/** The scalar autograd, step by step: a graph of single numbers, forwards and backwards, beside the code that runs. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { fail } from '../../actions';
import { ask } from '../../engine/client';
import { Press } from '../../parts/press';
import { Words } from '../../parts/term';
import { t } from '../../texts';
import { count, fixed } from '../../texts/numbers';
import { type Calculation, expression, type GraphNode, type Moment, momentOf, neuronOf } from './calculation';
import { Code } from './code';

const S = t.see.scalar;
type Kind = keyof typeof S.expressions;
const SHOWN = 3;

/** `asked` is the text and the model that a neuron is taken from. */
export function Scalar({ model, text, asked }: { model: string; text: string; asked: ComponentChildren }) {
  const [kind, setKind] = useState<Kind>('product');
  const [calculation, setCalculation] = useState<Calculation>(() => expression('product'));
  const [lead, setLead] = useState('');
  const [step, setStep] = useState(0);

  useEffect(() => {
    setStep(0);
    setLead('');
    if (kind !== 'neuron') return setCalculation(expression(kind));
    ask('neuron', { model, text, shown: SHOWN }).then((neuron) => {
      setCalculation(neuronOf(neuron));
      setLead(S.neuronLead(count(neuron.unit + 1), count(SHOWN), neuron.activation));
    }, fail);
  }, [kind, model, text]);

  const moment = momentOf(calculation, step);
  const node = moment.active === null ? null : calculation.nodes[moment.active];
  return (
    <section class="panel">
      <h2>{S.heading}</h2>
      <p class="note">
        {S.lead} <Words of={['gradient']} />
      </p>
      <div class="row">
        <label class="field">
          {S.expression}
          <select value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind)}>
            {(Object.keys(S.expressions) as Kind[]).map((name) => (
              <option key={name} value={name}>
                {S.expressions[name]}
              </option>
            ))}
          </select>
        </label>
        <div class="buttons">
          <Press off={step === 0} onClick={() => setStep(step - 1)}>
            {S.back}
          </Press>
          <Press class="primary" off={step === calculation.steps} onClick={() => setStep(step + 1)}>
            {S.step}
          </Press>
          <button type="button" onClick={() => setStep(step === calculation.steps ? 0 : calculation.steps)}>
            {step === calculation.steps ? S.again : S.all}
          </button>
        </div>
        <p class="status" role="status">
          <span>{S.phases[moment.phase]}</span>
          <span>{S.at(count(step), count(calculation.steps))}</span>
        </p>
      </div>
      {kind === 'neuron' && asked}
      {lead !== '' && <p class="note">{lead}</p>}
      <p class="sentence" aria-live="polite">
        {sentenceOf(calculation, moment)}
      </p>
      <div class="scalar">
        <Graph calculation={calculation} moment={moment} />
        <Code
          operation={node?.operation ?? calculation.nodes[calculation.order[0]].operation}
          inputs={node?.inputs.length ?? 2}
          phase={moment.phase}
        />
      </div>
    </section>
  );
}

/** Several boxes may have the same operation: they are told apart by their values. */
const called = ({ name, operation, value }: GraphNode) =>
  operation === null ? name : S.sentences.box(name, fixed(value.data, 4));

/** What the step of the moment does, with its numbers. */
function sentenceOf({ nodes }: Calculation, { phase, active }: Moment): string {
  if (active === null) return S.sentences.start;
  const { name, value, operation, inputs } = nodes[active];
  const number = (x: number) => (x < 0 ? `(${fixed(x, 4)})` : fixed(x, 4));
  if (phase === 'seed') return S.sentences.seed;
  if (phase === 'forward') {
    const given = inputs.map((id) => number(nodes[id].value.data));
    const left = inputs.length === 2 ? given.join(operation === 'add' ? ' + ' : ' × ') : `${name} of ${given[0]}`;
    return S.sentences.forward(left, fixed(value.data, 4));
  }
  const rates = [value.da, value.db];
  const parts = inputs.map((id, k) =>
    S.sentences.share(called(nodes[id]), number(rates[k]), number(value.grad), fixed(rates[k] * value.grad, 4)),
  );
  return S.sentences.backward(name, parts.join('; '));
}

const WIDE = 112;
const HIGH = 62;
const [ACROSS, DOWN] = [150, 76];

/** Places: each node right before the first that needs it; within a column in the order of the inputs. */
function placesOf({ nodes }: Calculation) {
  const depths = nodes.map(({ depth }) => depth);
  for (const { id } of [...nodes].reverse()) {
    const needed = nodes.filter(({ inputs }) => inputs.includes(id)).map((node) => depths[node.id] - 1);
    if (needed.length > 0) depths[id] = Math.min(...needed);
  }
  const columns: number[][] = Array.from({ length: Math.max(...depths) + 1 }, () => []);
  for (const { id } of nodes) columns[depths[id]].push(id);
  const tallest = Math.max(...columns.map((column) => column.length));
  const place = new Map<number, { readonly x: number; readonly y: number }>();
  for (const [depth, column] of columns.entries()) {
    for (const [k, id] of column.entries()) {
      place.set(id, { x: 8 + depth * ACROSS, y: 8 + (k + (tallest - column.length) / 2) * DOWN });
    }
  }
  return { place, width: (columns.length - 1) * ACROSS + WIDE + 16, height: tallest * DOWN };
}

function Graph({ calculation, moment }: { calculation: Calculation; moment: Moment }) {
  const { place, width, height } = placesOf(calculation);
  const at = (id: number) => place.get(id) ?? { x: 0, y: 0 };
  const section = useRef<HTMLElement>(null);
  const { x: middle } = at(moment.active ?? 0);
  useEffect(() => {
    // On a small screen the step of the moment is brought into view.
    const seen = section.current;
    if (seen !== null) seen.scrollLeft = middle + WIDE / 2 - seen.clientWidth / 2;
  }, [middle]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
    <section ref={section} class="graph" tabIndex={0} aria-label={S.graph}>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        width={width}
        height={height}
        role="img"
        aria-label={described(calculation, moment)}
      >
        {calculation.nodes.flatMap(({ id, inputs }) =>
          inputs.map((input) => {
            const [from, to] = [at(input), at(id)];
            const [x1, y1, x2, y2] = [from.x + WIDE, from.y + HIGH / 2, to.x, to.y + HIGH / 2];
            const bend = (x1 + x2) / 2;
            return (
              <path
                key={`${input} ${id}`}
                class={`edge ${moment.active === id ? moment.phase : ''}`}
                d={`M${x1} ${y1}C${bend} ${y1} ${bend} ${y2} ${x2} ${y2}`}
              />
            );
          }),
        )}
        {calculation.nodes.map((node) => (
          <Box key={node.id} node={node} moment={moment} {...at(node.id)} />
        ))}
      </svg>
    </section>
  );
}

function Box({ node, moment, x, y }: { node: GraphNode; moment: Moment; x: number; y: number }) {
  const gradient = moment.gradients.get(node.id);
  return (
    <g
      transform={`translate(${x} ${y})`}
      class={`box ${moment.active === node.id ? 'active' : ''} ${node.operation === null ? 'leaf' : ''}`}
    >
      <rect width={WIDE} height={HIGH} rx="8" />
      <text x="10" y="18" class="box-name">
        {node.name}
      </text>
      <text x="10" y="37">
        {moment.known.has(node.id) ? fixed(node.value.data, 4) : '…'}
      </text>
      <text x="10" y="54" class="box-gradient">
        {gradient === undefined ? '' : `∂ ${fixed(gradient, 4)}`}
      </text>
    </g>
  );
}

function described({ nodes }: Calculation, { known, gradients }: Moment): string {
  return nodes
    .filter(({ id }) => known.has(id))
    .map(({ id, name, value }) => {
      const gradient = gradients.get(id);
      return `${name}: ${S.value} ${fixed(value.data, 4)}${gradient === undefined ? '' : `, ${S.gradient} ${fixed(gradient, 4)}`}`;
    })
    .join('; ');
}
