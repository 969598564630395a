/** Lines of autograd/value.ts itself, those that are at work marked. */
import source from '../../../../src/autograd/value.ts?raw';
import { t } from '../../texts';
import type { Operation, Phase } from './calculation';

const LINES = source.split('\n');

/** A method with the comment above it: from its first line to the brace that closes it. */
function method(start: string): { readonly from: number; readonly lines: readonly string[] } {
  let from = LINES.findIndex((line) => line.startsWith(`  ${start}(`));
  const to = LINES.findIndex((line, i) => i > from && line === '  }');
  if (LINES[from - 1].trim().startsWith('/**')) from--;
  return { from, lines: LINES.slice(from, to + 1) };
}

export function Code({ operation, inputs, phase }: { operation: Operation | null; inputs: number; phase: Phase }) {
  const shown = [...(operation === null ? [] : [method(operation)]), method('backward')];
  const active = (line: string): boolean => {
    if (phase === 'seed') return line.includes('end.grad = 1');
    if (phase === 'backward')
      return line.includes('value.a!.grad +=') || (inputs > 1 && line.includes('value.b.grad +='));
    if (phase !== 'forward' || operation === null || line.includes('backward')) return false;
    const withNumber = line.includes("typeof y === 'number'");
    return (
      line.includes('this.tape.record') &&
      (inputs > 1 ? !withNumber : withNumber || !['add', 'mul'].includes(operation))
    );
  };
  return (
    <figure class="code">
      <figcaption class="note">{t.see.scalar.code}</figcaption>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <pre tabIndex={0}>
        {shown.map(({ from, lines }) => (
          <code key={String(from)}>
            {lines.map((line, i) => (
              <span key={String(i)} class={active(line) ? 'active' : ''}>
                <i>{from + i + 1}</i>
                {line}
                {'\n'}
              </span>
            ))}
          </code>
        ))}
      </pre>
    </figure>
  );
}
