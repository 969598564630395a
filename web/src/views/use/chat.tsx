/** A conversation with a model that was trained on conversations. */
import type { Turn } from 'microgpt';
import { useEffect, useRef, useState } from 'preact/hooks';
import { choose, fail, go } from '../../actions';
import { stream } from '../../engine/client';
import type { ModelInfo } from '../../engine/protocol';
import { Press } from '../../parts/press';
import { t } from '../../texts';
import { FIRST_DRAWING, SamplingFields, samplingOf } from './sampling';

const C = t.use.chat;

export function Chat({ model }: { model: ModelInfo }) {
  const [turns, setTurns] = useState<readonly Turn[]>([]);
  const [text, setText] = useState('');
  const [stop, setStop] = useState<(() => void) | null>(null);
  const [drawing, setDrawing] = useState({ ...FIRST_DRAWING, temperature: 0.5 });
  const end = useRef<HTMLLIElement>(null);
  useEffect(() => setTurns([]), [model.id]);
  useEffect(() => end.current?.scrollIntoView({ block: 'nearest' }), [turns]);

  if (model.roles === null) {
    return (
      <div class="panel nothing">
        <p>{C.not}</p>
        <button
          type="button"
          class="primary"
          onClick={() => {
            choose({ corpus: 'chat', dial: 2 });
            go('train');
          }}
        >
          {C.train}
        </button>
      </div>
    );
  }

  const send = () => {
    const content = text.trim();
    if (content === '' || stop !== null) return;
    const asked: Turn[] = [...turns, { role: 'user', content }];
    let reply = '';
    setText('');
    setTurns([...asked, { role: 'assistant', content: '' }]);
    const { prompt: _, samples: __, ...options } = samplingOf(drawing);
    const running = stream({ model: model.id, turns: asked, options }, (event) => {
      reply += event.text;
      setTurns([...asked, { role: 'assistant', content: reply }]);
    });
    setStop(() => running.stop);
    running.done.catch(fail).finally(() => setStop(null));
  };

  return (
    <section class="panel">
      <p class="note">{C.lead}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by keyboard */}
      <ol class="talk" aria-live="polite" tabIndex={0} aria-label={C.say}>
        {turns.length === 0 && <li class="empty">{C.empty}</li>}
        {turns.map(({ role, content }, i) => (
          <li key={String(i)} class={role} ref={i === turns.length - 1 ? end : null}>
            <small>{role === 'user' ? C.you : C.model}</small>
            <p dir="auto">{content || '…'}</p>
          </li>
        ))}
      </ol>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <label class="field grow">
          {C.say}
          <input
            value={text}
            dir="auto"
            placeholder={C.placeholder}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </label>
        <Press
          type={stop === null ? 'submit' : 'button'}
          class={stop === null ? 'primary' : ''}
          off={stop === null && text.trim() === ''}
          onClick={stop ?? undefined}
        >
          {stop === null ? C.send : t.use.stop}
        </Press>
        <Press off={turns.length === 0} onClick={() => setTurns([])}>
          {C.clear}
        </Press>
      </form>
      <div class="row">
        <SamplingFields
          id="c"
          drawing={drawing}
          change={(part) => setDrawing({ ...drawing, ...part })}
          fields={['temperature', 'seed']}
        />
      </div>
    </section>
  );
}
