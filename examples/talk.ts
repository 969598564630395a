/**
 * A conversation with the chat model that comes with microgpt: what is typed is answered letter by letter, Ctrl-C stops a reply, Ctrl-D ends.
 *
 *   node examples/talk.ts      after npm start, on Node 22.18 or newer; else node dist/examples/talk.js
 */
import { createInterface } from 'node:readline';
import { createChat } from 'microgpt';
import { findModel, loadModel } from 'microgpt/node';

const { path } = await findModel('chat'); // or the path of a model that you have trained on conversations
const { checkpoint } = await loadModel(path);
const chat = createChat(checkpoint, { temperature: 0, maxTokens: 80 });
let stop = new AbortController();
process.on('SIGINT', () => stop.abort());
try {
  for await (const line of createInterface({ input: process.stdin })) {
    stop = new AbortController();
    for await (const { text } of chat.say(line, { signal: stop.signal })) process.stdout.write(text);
    process.stdout.write('\n');
  }
  console.error(`${chat.turns.length} turns`);
} finally {
  chat.close();
}
