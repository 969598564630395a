/** Lessons that check themselves against the reader's own model, and what the words mean. */
import { useState } from 'preact/hooks';
import { fail } from '../actions';
import { Press } from '../parts/press';
import { glossary, type Lesson, lessons, t } from '../texts';
import { checks, type Outcome } from './learn/checks';

const L = t.learn;
const KEPT = 'microgpt lessons';
const LESSONS = Object.keys(lessons) as Lesson[];

function passedBefore(): Lesson[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? '[]');
    return LESSONS.filter((lesson) => Array.isArray(kept) && kept.includes(lesson));
  } catch {
    return [];
  }
}

export function Learn() {
  const [passed, setPassed] = useState(passedBefore);
  const pass = (lesson: Lesson) => {
    const all = [...new Set([...passed, lesson])];
    setPassed(all);
    try {
      localStorage.setItem(KEPT, JSON.stringify(all));
    } catch {
      // not kept, and no harm done
    }
  };
  return (
    <>
      <div class="lead">
        <h1>{L.heading}</h1>
        <p>{L.lessonsLead}</p>
      </div>
      <section aria-label={L.lessons} class="two even">
        {LESSONS.map((lesson, i) => (
          <LessonCard
            key={lesson}
            lesson={lesson}
            number={i + 1}
            done={passed.includes(lesson)}
            pass={() => pass(lesson)}
          />
        ))}
      </section>
      <section class="panel words" aria-label={L.glossary}>
        <h2>{L.glossary}</h2>
        <p class="note">{L.glossaryLead}</p>
        <dl class="glossary">
          {Object.entries(glossary).map(([name, { word, text }]) => (
            <div key={name}>
              <dt>{word}</dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
      </section>
    </>
  );
}

function LessonCard({
  lesson,
  number,
  done,
  pass,
}: {
  lesson: Lesson;
  number: number;
  done: boolean;
  pass: () => void;
}) {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [checking, setChecking] = useState(false);
  const { title, text, task, go } = lessons[lesson];
  const check = () => {
    setChecking(true);
    checks[lesson]()
      .then((result) => {
        setOutcome(result);
        if (result.passed) pass();
      }, fail)
      .finally(() => setChecking(false));
  };
  return (
    <article class="panel lesson">
      <h2>
        {number}. {title} {done && <span class="tick">✓ {L.done}</span>}
      </h2>
      {text.map((paragraph) => (
        <p key={paragraph}>{paragraph}</p>
      ))}
      <p class="task">{task}</p>
      <div class="buttons">
        <a class="button" href={`#${go}`}>
          {L.go}
        </a>
        <Press class="primary" off={checking} onClick={check}>
          {checking ? L.checking : L.check}
        </Press>
      </div>
      <p class={`outcome ${outcome?.passed ? 'passed' : ''}`} role="status">
        {outcome?.said ?? ''}
      </p>
    </article>
  );
}
