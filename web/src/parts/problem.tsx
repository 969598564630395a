/** What went wrong, in the engine's own words, with the way out. */
import type { Problem as Told } from '../engine/protocol';
import { update, useApp } from '../state';
import { remedies, t } from '../texts';
import { useHandingOn } from './press';

export function Problem() {
  const problem = useApp((app) => app.problem);
  return <div role="alert">{problem !== null && <Card problem={problem} />}</div>;
}

function Card({ problem }: { problem: Told }) {
  const place = useHandingOn<HTMLDivElement>();
  const remedy = remedies[problem.code ?? ''] ?? problem.remedy;
  return (
    <div class="problem" ref={place}>
      <p>
        <strong>{problem.code === null ? t.error.ours : t.error.title}</strong> {problem.message}
        {remedy !== '' && <> → {remedy}</>}
        {problem.code !== null && <code>{problem.code}</code>}
      </p>
      <button type="button" onClick={() => update({ problem: null })}>
        {t.close}
      </button>
    </div>
  );
}
