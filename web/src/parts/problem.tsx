/** What went wrong, in the engine's own words, with the way out. */
import { update, useApp } from '../state';
import { remedies, t } from '../texts';

export function Problem() {
  const problem = useApp((app) => app.problem);
  const remedy = remedies[problem?.code ?? ''] ?? problem?.remedy ?? '';
  return (
    <div role="alert">
      {problem !== null && (
        <div class="problem">
          <p>
            <strong>{problem.code === null ? t.error.ours : t.error.title}</strong> {problem.message}
            {remedy !== '' && <> → {remedy}</>}
            {problem.code !== null && <code>{problem.code}</code>}
          </p>
          <button type="button" onClick={() => update({ problem: null })}>
            {t.close}
          </button>
        </div>
      )}
    </div>
  );
}
