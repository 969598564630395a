/** The first view: what to learn from, for how long, and the run as it goes. */
import { again, attempt, pause, reset, train } from '../actions';
import { Chart } from '../parts/chart';
import { Press, useHandingOn } from '../parts/press';
import { Term } from '../parts/term';
import { type Recovered as RunBack, update, useApp } from '../state';
import { t, warnings } from '../texts';
import { count, duration, fixed } from '../texts/numbers';
import { Setup } from './setup';

const T = t.train;

export function Train() {
  return (
    <>
      <div class="lead">
        <h1>{T.heading}</h1>
        <p>{T.lead}</p>
      </div>
      <Recovered />
      <div class="train">
        <Setup />
        <section class="run" aria-label={t.views.train}>
          <Controls />
          <Curve />
          <Samples />
        </section>
      </div>
    </>
  );
}

function Recovered() {
  const recovered = useApp((app) => app.recovered);
  return recovered === null ? null : <Back run={recovered} />;
}

function Back({ run }: { run: RunBack }) {
  const place = useHandingOn<HTMLDivElement>();
  const time = new Date(run.savedAt).toLocaleTimeString('en', {
    hour: '2-digit',
    minute: '2-digit',
    hour12: false,
  });
  return (
    <div class="banner" role="status" ref={place}>
      <p>{T.recovered(run.name, count(run.step), time)}</p>
      <button type="button" onClick={() => attempt(reset)}>
        {T.startNew}
      </button>
      <button type="button" onClick={() => update({ recovered: null })}>
        {t.close}
      </button>
    </div>
  );
}

function Controls() {
  const run = useApp((app) => app.run);
  const kept = useApp((app) => app.kept);
  const before = useApp((app) => app.models.find(({ id }) => id === app.before)?.name);
  const { prepared, preparing, progress, took } = run;
  const ready = prepared !== null && !preparing;
  const { state, step, stepsPerSecond, secondsLeft } = progress;
  const steps = prepared?.settings.steps ?? 0;
  const last = run.losses.at(-1);
  return (
    <div class="controls" data-run={run.number} data-state={state}>
      <div class="buttons">
        <Press
          class="primary"
          off={!ready}
          onClick={() =>
            attempt(() => {
              if (state === 'running') return pause();
              return state === 'done' ? again().then(() => train(null)) : train(null);
            })
          }
        >
          {{ running: T.pause, paused: T.resume, done: T.again, ready: T.start }[state]}
        </Press>
        <Press off={!ready || state === 'running' || state === 'done'} onClick={() => attempt(() => train(1))}>
          {T.step}
        </Press>
        <Press
          off={!ready || state === 'ready'}
          onClick={() => attempt(state === 'running' ? () => pause().then(reset) : reset)}
        >
          {T.reset}
        </Press>
        {state === 'done' && step > 0 && step >= steps && (
          <span class="onwards">
            {(['see', 'use', 'keep'] as const).map((view) => (
              <a key={view} href={`#${view}`}>
                {T.next[view]}
              </a>
            ))}
          </span>
        )}
      </div>
      <progress max={Math.max(1, steps)} value={step} aria-label={T.progress(count(step), count(steps))} />
      <p class="status">
        <span>{ready ? T.progress(count(step), count(steps)) : preparing ? T.preparing : T.notReady}</span>
        {state === 'running' && secondsLeft !== null && <span>{T.left(duration(secondsLeft))}</span>}
        {state === 'running' && stepsPerSecond !== null && <span>{T.speed(count(stepsPerSecond))}</span>}
        {state === 'paused' && <span>{T.paused}</span>}
        {state === 'done' && took !== null && <span>{T.done(duration(took))}</span>}
      </p>
      <Chosen />
      <dl class="figures">
        <div>
          <dt>
            <Term of="loss" />
          </dt>
          <dd>{last === undefined ? '–' : fixed(last)}</dd>
        </div>
        <div>
          <dt>
            <Term of="validation" />
          </dt>
          <dd class="second">{run.evals.length === 0 ? '–' : fixed(run.evals[run.evals.length - 1].loss)}</dd>
        </div>
        <div>
          <dt>
            <Term of="guessing" />
          </dt>
          <dd>{prepared === null ? '–' : fixed(prepared.guessing)}</dd>
        </div>
        <div>
          <dt>
            <Term of="hash" />
          </dt>
          <dd>
            <code data-hash={run.hash ?? ''} title={run.hash ?? undefined}>
              {run.hash?.slice(0, 10) ?? '–'}
            </code>
          </dd>
        </div>
      </dl>
      {prepared !== null && prepared.settings.evalEvery === 0 && <p class="note">{T.noneHeldOut}</p>}
      {state === 'ready' && before !== undefined && <p class="note">{T.keptBefore(before)}</p>}
      {kept !== null && kept !== 'kept' && <p class="note">{T.notKept[kept]}</p>}
      {run.warnings.map((code) => (
        <p class="note" key={code}>
          {warnings[code]}
        </p>
      ))}
    </div>
  );
}

/** On a small screen, where the settings are below: what they are, and the way there. */
function Chosen() {
  const { corpus, dial } = useApp((app) => app.choice);
  return (
    <p class="note chosen">
      {T.chosen(T.corpora[corpus], T.dials[dial])}{' '}
      <button type="button" class="term" onClick={() => document.querySelector<HTMLElement>('.setup input')?.focus()}>
        {T.change}
      </button>
    </p>
  );
}

function Curve() {
  const run = useApp((app) => app.run);
  const { prepared } = run;
  return (
    <figure>
      <figcaption>
        <h2>{T.chart.title}</h2>
      </figcaption>
      {prepared === null ? (
        <div class="chart empty">{run.preparing ? T.preparing : T.chart.empty}</div>
      ) : (
        <Chart
          key={run.number}
          losses={run.losses}
          seen={run.seen}
          from={run.lossesFrom}
          evals={run.evals}
          steps={prepared.settings.steps}
          guessing={prepared.guessing}
          tokens={prepared.config.vocabSize}
        />
      )}
    </figure>
  );
}

function Samples() {
  const samples = useApp((app) => app.run.samples);
  const preparing = useApp((app) => app.run.preparing);
  return (
    <section class="samples" aria-label={T.samples}>
      <h2>{T.samples}</h2>
      <p class="note">{T.samplesLead}</p>
      {samples.length === 0 ? (
        <p class="empty">{preparing ? T.preparing : T.samplesEmpty}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard
        <ol reversed tabIndex={0} aria-label={T.samples}>
          {[...samples].reverse().map(({ step, texts }) => (
            <li key={step}>
              <span class="when">{step === 0 ? T.beforeTraining : T.atStep(count(step))}</span>
              <span class="texts">
                {texts.map((text, i) => (
                  // The place of a sample is what it is called.
                  <q key={String(i)} dir="auto">
                    {text || <em>{t.use.nothing}</em>}
                  </q>
                ))}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
