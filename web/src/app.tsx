/**
 * The frame of the page: name, views, what stands at the bottom, and what may come up anywhere: a problem, a word explained, a dropped file.
 */
import { useEffect, useRef, useState } from 'preact/hooks';
import { attempt, openFiles, pause, setTheme, train } from './actions';
import { useHandingOn } from './parts/press';
import { Problem } from './parts/problem';
import { Explanation } from './parts/term';
import { type App as State, update, useApp } from './state';
import { t } from './texts';
import { count, percent } from './texts/numbers';
import { Keep } from './views/keep';
import { Learn } from './views/learn';
import { See } from './views/see';
import { Train } from './views/train';
import { Use } from './views/use';

const VIEWS = { train: Train, see: See, use: Use, keep: Keep, learn: Learn };
type View = keyof typeof VIEWS;
const viewOf = (place: string): View =>
  Object.hasOwn(VIEWS, place.split('/')[0]) ? (place.split('/')[0] as View) : 'train';

export function App() {
  const view = useApp((app) => viewOf(app.place));
  const said = useApp((app) => app.said);
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    document.title = `${t.views[view]} · ${t.title}`;
    if (!first.current) {
      update({ term: null });
      window.scrollTo(0, 0);
      main.current?.focus({ preventScroll: true });
    }
    first.current = false;
  }, [view]);
  const Chosen = VIEWS[view];
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        {t.skip}
      </button>
      <header class="top">
        <a class="brand" href="#train">
          <svg viewBox="0 0 64 64" width="28" height="28" aria-hidden="true">
            <path
              d="M8 14c12 0 12 34 26 36 9 1 12-3 22-3"
              fill="none"
              stroke="currentColor"
              stroke-width="6"
              stroke-linecap="round"
            />
            <circle cx="55" cy="47" r="7" class="brand-dot" />
          </svg>
          {t.name}
        </a>
        <nav aria-label={t.title}>
          {(Object.keys(VIEWS) as View[]).map((name) => (
            <a key={name} href={`#${name}`} aria-current={name === view ? 'page' : undefined}>
              {t.views[name]}
            </a>
          ))}
        </nav>
        {view !== 'train' && <Runner />}
      </header>
      <Problem />
      <main id="main" ref={main} tabIndex={-1}>
        <Chosen />
      </main>
      <Footer />
      <Explanation />
      <Dropping />
      <p class="hidden" role="status">
        {said}
      </p>
    </>
  );
}

/** The run from everywhere but its own view: what one looks at changes while it learns. */
function Runner() {
  const { prepared, preparing, progress } = useApp((app) => app.run);
  if (prepared === null || preparing || progress.state === 'done') return null;
  return <Running state={progress.state} share={progress.step / prepared.settings.steps} />;
}

function Running({ state, share }: { state: 'ready' | 'running' | 'paused'; share: number }) {
  const place = useHandingOn<HTMLParagraphElement>();
  const [name, act] = state === 'running' ? [t.train.pause, pause] : [start(state), () => train(null)];
  return (
    <p class="runner" ref={place}>
      <span>{t.train.share(percent(share))}</span>
      <button type="button" class="primary" onClick={() => attempt(act)}>
        {name}
      </button>
    </p>
  );
}

const start = (state: 'ready' | 'paused') => (state === 'ready' ? t.train.start : t.train.resume);

function Footer() {
  const theme = useApp((app) => app.theme);
  const isolated = useApp((app) => app.isolated);
  const threads = useApp((app: State) => app.whyOneThread === null && app.isolated);
  return (
    <footer>
      <p>{t.footer.private}</p>
      <p title={isolated === false ? t.footer.notIsolated : undefined} class="threads">
        {isolated === null
          ? ''
          : threads
            ? t.footer.threads(count(navigator.hardwareConcurrency))
            : t.footer.notIsolated}
      </p>
      <label>
        {t.theme.label}
        <select value={theme} onChange={(event) => setTheme(event.currentTarget.value as State['theme'])}>
          {(['auto', 'light', 'dark'] as const).map((name) => (
            <option key={name} value={name}>
              {t.theme[name]}
            </option>
          ))}
        </select>
      </label>
    </footer>
  );
}

/** Files may be dropped anywhere. */
function Dropping() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const has = (event: DragEvent) => event.dataTransfer?.types.includes('Files') === true;
    const onOver = (event: DragEvent) => {
      if (!has(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      if (!has(event)) return;
      event.preventDefault();
      setOver(false);
      const files = [...(event.dataTransfer?.files ?? [])];
      attempt(() => openFiles(files));
    };
    const onKey = (event: KeyboardEvent) => {
      if (event.key === 'Escape') update({ term: null, problem: null });
    };
    addEventListener('dragover', onOver);
    addEventListener('dragleave', onLeave);
    addEventListener('drop', onDrop);
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('dragover', onOver);
      removeEventListener('dragleave', onLeave);
      removeEventListener('drop', onDrop);
      removeEventListener('keydown', onKey);
    };
  }, []);
  return over ? <div class="dropping">{t.keep.drop}</div> : null;
}
