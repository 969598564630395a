// Servers for tests, and ways to ask them.

import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { decodeModel } from '../../src/checkpoint/decode.js';
import { createServer, type Listening, type Server, type ServerOptions } from '../../src/server/index.js';
import { trainedChatModel } from '../chat-model.js';
import { ROOT } from '../cli.js';
import { goldenText } from '../golden.js';

// biome-ignore lint/suspicious/noExplicitAny: answers of an API, looked at from outside
export type Answer = any;

export const names = decodeModel(
  new TextEncoder().encode(goldenText('persistence/model.json')),
  'persistence/model.json',
).checkpoint;
export const chat = trainedChatModel();

/** The names model that the Rust system trained. */
export function rustNames() {
  const folder = join(ROOT, 'test/fixtures/weights-meta/names-model');
  const partner = readFileSync(join(folder, 'weights.json'));
  return decodeModel(readFileSync(join(folder, 'meta.json')), 'meta.json', { partner }).checkpoint;
}

export function serverFor(options: ServerOptions = {}): Server {
  const server = createServer(options.compute === undefined ? { models: { names, chat }, ...options } : options);
  onTestFinished(() => server.close());
  return server;
}

export const post = (server: Server, path: string, body: unknown, headers: Record<string, string> = {}) =>
  server.fetch(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

export const eventsOf = (text: string): Answer[] =>
  text
    .split('\n\n')
    .filter((line) => line !== '' && line !== 'data: [DONE]')
    .map((line) => JSON.parse(line.replace(/^data: /, '')));

/** Until something holds, looked at every few milliseconds. */
export async function until(holds: () => boolean, milliseconds = 5000): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!holds()) {
    if (performance.now() > end) throw new Error(`not within ${milliseconds} ms: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}

export interface Raw {
  readonly socket: Socket;
  /** All that came so far. */
  text(): string;
  /** When the other side has closed. */
  readonly closed: Promise<void>;
}

/** A connection on which anything can be said. */
export function raw({ port }: Pick<Listening, 'port'>, said = '', host = '127.0.0.1'): Raw {
  const socket = connect({ port, host });
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (part) => {
    text += part;
  });
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => resolve());
  });
  socket.on('error', () => {});
  socket.write(said);
  onTestFinished(() => {
    socket.destroy();
  });
  return { socket, text: () => text, closed };
}

/** What was answered, once the other side has closed. */
export async function said(listening: Pick<Listening, 'port'>, request: string): Promise<string> {
  const connection = raw(listening, request);
  await connection.closed;
  return connection.text();
}

/** A request over a socket, with its Host. */
export const request = (
  { port }: Pick<Listening, 'port'>,
  path: string,
  { method = 'GET', host = `127.0.0.1:${port}`, headers = [] as string[], body = '' } = {},
): string =>
  [
    `${method} ${path} HTTP/1.1`,
    ...(host === '' ? [] : [`Host: ${host}`]),
    'Connection: close',
    ...headers,
    ...(body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`]),
    '',
    body,
  ].join('\r\n');

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]);
export const bodyOf = (answer: string): string => answer.slice(answer.indexOf('\r\n\r\n') + 4);
