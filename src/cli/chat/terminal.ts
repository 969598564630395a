/**
 * A conversation on a terminal: line editing and history by node:readline, replies as they come.
 * What is typed during a reply waits, unseen, for its end. Invariant: Ctrl-C ends a reply, or clears the line, or, on an empty line the
 * second time, leaves; it never kills the program in the middle of something.
 */
import { createInterface, type Interface } from 'node:readline';
import { Writable } from 'node:stream';
import { complain, harmless, isDumb, say } from '../output.js';
import type { Conversation } from './conversation.js';

const PROMPT = 'you> ';
const REPLY = 'microgpt> ';

export async function chatOnTerminal(conversation: Conversation): Promise<void> {
  const screen = createScreen();
  const editor = createInterface({
    input: process.stdin,
    output: screen.stream,
    terminal: true,
    historySize: 1000,
    prompt: PROMPT,
  });
  const lines = createLines(editor);
  let reply: AbortController | null = null;
  let leaving = false; // Ctrl-C was pressed on an empty line
  editor.on('SIGINT', () => {
    if (reply !== null) reply.abort();
    else if (editor.line !== '') {
      leaving = false;
      clearLine(editor);
    } else if (leaving) editor.close();
    else {
      leaving = true;
      process.stdout.write('\n');
      say('(Ctrl-C again, or Ctrl-D, to leave)');
      editor.prompt();
    }
  });
  try {
    while (true) {
      editor.prompt(true);
      const typed = await lines.next();
      leaving = false;
      if (typed === null) break;
      if (typed.trim() === '') continue;
      reply = new AbortController();
      screen.mute(true);
      const goOn = await answer(conversation, typed, reply.signal);
      screen.mute(false);
      reply = null;
      if (!goOn) break;
    }
  } finally {
    screen.mute(false);
    editor.close();
    screen.close();
  }
  if (lines.closed()) process.stdout.write('\n');
}

/** Carries out a command or prints a reply; false to leave. What goes wrong is said and does not end the conversation. */
async function answer(conversation: Conversation, line: string, signal: AbortSignal): Promise<boolean> {
  try {
    const outcome = await conversation.command(line);
    if (outcome !== 'said') return outcome !== 'quit';
    let before = REPLY; // after what there is to say about the line
    for await (const text of conversation.answer(line, signal)) {
      process.stdout.write(before + harmless(text));
      before = '';
    }
    process.stdout.write(`${before}${signal.aborted ? ' (stopped)' : ''}\n`);
  } catch (error) {
    process.stdout.write('\n');
    complain(error);
  }
  return true;
}

/** The lines that were entered, one at a time; null at the end of the input. */
function createLines(editor: Interface) {
  const waiting: string[] = [];
  let closed = false;
  let wake: (() => void) | null = null;
  editor.on('line', (line) => {
    waiting.push(line);
    wake?.();
  });
  editor.on('close', () => {
    closed = true;
    wake?.();
  });
  return {
    closed: () => closed,
    async next(): Promise<string | null> {
      while (waiting.length === 0 && !closed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return waiting.shift() ?? null;
    },
  };
}

/** The terminal as the line editor sees it; muted, what it draws is dropped. */
function createScreen() {
  let muted = false;
  const stream = new Writable({
    write(chunk: Uint8Array, _, done) {
      if (!muted) process.stdout.write(chunk);
      done();
    },
  });
  Object.defineProperty(stream, 'columns', { get: () => process.stdout.columns });
  const resized = () => stream.emit('resize');
  process.stdout.on('resize', resized);
  return {
    stream,
    mute(on: boolean) {
      muted = on;
    },
    close: () => process.stdout.off('resize', resized),
  };
}

function clearLine(editor: Interface): void {
  if (isDumb()) {
    // There node:readline knows no keys but Enter, and what is on the screen stays there.
    Object.assign(editor, { line: '', cursor: 0 });
    process.stdout.write('\n');
    editor.prompt();
    return;
  }
  editor.write(null, { ctrl: true, name: 'e' });
  editor.write(null, { ctrl: true, name: 'u' });
}
