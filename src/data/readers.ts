/**
 * Text, in parts, → documents: one reader for each format. `lines` and tables give texts; `chat` gives turns of conversations.
 * Refuses to know: tokens and files. Invariant: where the parts are cut changes nothing.
 */
import { count, counted } from '../base/count.js';
import { MicrogptError } from '../base/errors.js';
import { conversationFrom } from './conversations.js';
import type { DocumentWriter } from './document-writer.js';
import { strip } from './white-space.js';

export interface TextReader {
  push(part: string): void;
  end(): void;
  /** What a user should know about the text, in full sentences. */
  notes(): string[];
}

/** Characters (UTF-16) of the longest line that is taken as one. */
export const LONGEST_LINE = 16 * 1024 * 1024;

/** Calls `take` with each line, without its end; lines end with LF, CRLF or CR. A line too long comes in pieces, if `cut` allows. */
function splitLines(take: (line: string, number: number) => void, cut: (number: number) => void): TextReader {
  let parts: string[] = []; // of the line that has not ended yet
  let size = 0;
  let number = 1;
  let afterCr = false;
  let [crlf, cr, lf] = [0, 0, 0];

  function addPart(part: string): void {
    parts.push(part);
    size += part.length;
    while (size > LONGEST_LINE) {
      cut(number);
      const line = parts.join('');
      const end = isLowSurrogate(line.charCodeAt(LONGEST_LINE)) ? LONGEST_LINE - 1 : LONGEST_LINE;
      take(line.slice(0, end), number);
      parts = [line.slice(end)];
      size = line.length - end;
    }
  }

  function endLine(part: string): void {
    if (parts.length === 0 && part.length <= LONGEST_LINE) take(part, number);
    else {
      addPart(part);
      take(parts.join(''), number);
      parts = [];
      size = 0;
    }
    number++;
  }

  return {
    push(part) {
      let from = 0;
      if (afterCr && part.length > 0) {
        afterCr = false;
        if (part.charCodeAt(0) === 10) {
          cr--;
          crlf++;
          from = 1;
        }
      }
      for (let i = from; i < part.length; i++) {
        const unit = part.charCodeAt(i);
        if (unit > 13 || (unit !== 10 && unit !== 13)) continue;
        endLine(part.slice(from, i));
        if (unit === 10) lf++;
        else if (part.charCodeAt(i + 1) === 10) {
          crlf++;
          i++;
        } else {
          cr++;
          afterCr = i + 1 === part.length;
        }
        from = i + 1;
      }
      if (from < part.length) addPart(part.slice(from));
    },
    end() {
      if (size > 0) endLine('');
    },
    notes() {
      const others = [...(crlf > 0 ? [`${count(crlf)} with CRLF`] : []), ...(cr > 0 ? [`${count(cr)} with CR`] : [])];
      if (others.length === 0) return [];
      return [`lines end ${others.join(', ')}${lf > 0 ? `, ${count(lf)} with LF` : ''}: read as LF`];
    },
  };
}

/** A document a line, without the white space around it; empty ones are none. */
export function linesReader(writer: DocumentWriter): TextReader {
  const long = new Set<number>();
  let pieces = 0;
  const lines = splitLines(
    (line, number) => {
      if (long.has(number)) pieces++;
      const text = strip(line);
      if (text === '') return;
      writer.text(text);
      writer.end();
    },
    (number) => long.add(number),
  );
  return {
    ...lines,
    notes: () =>
      long.size === 0
        ? lines.notes()
        : [
            ...lines.notes(),
            `${long.size === 1 ? `line ${count([...long][0])} is` : `${counted(long.size, 'line')} are`} longer than 16 MiB: cut into ${counted(pieces, 'document')}`,
          ],
  };
}

/** A conversation a line. @throws MG_CHAT_LINE from push and end */
export function chatReader(writer: DocumentWriter, source: string): TextReader {
  let empty = 0;
  const lines = splitLines(
    (line, number) => {
      if (strip(line) === '') return;
      const turns = conversationFrom(line, source, number);
      if (turns.length === 0) {
        empty++;
        return;
      }
      for (const { role, text } of turns) {
        writer.role(role);
        writer.text(text);
        writer.role('end');
      }
      writer.end();
    },
    (number) => {
      throw new MicrogptError(
        'MG_CHAT_LINE',
        `${source}, line ${count(number)}: longer than 16 MiB`,
        'put one conversation on each line',
      );
    },
  );
  return {
    ...lines,
    notes: () => [
      ...lines.notes(),
      ...(empty > 0
        ? [
            `${count(empty)} ${empty === 1 ? 'line is a conversation' : 'lines are conversations'} without messages: left out`,
          ]
        : []),
    ],
  };
}

function isLowSurrogate(unit: number): boolean {
  return (unit & 0xfc00) === 0xdc00;
}
