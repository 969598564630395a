/**
 * A function from Request to Response, listening at a port, with limits on headers, time and connections.
 * Refuses to know: what is answered. Invariants: a reader that takes nothing for 30 s is disconnected, a slow one is not; what is not
 * HTTP gets a short answer and is closed.
 */
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { MicrogptError } from '../base/errors.js';

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly limits?: Partial<ConnectionLimits> | undefined;
}

export interface NodeListener {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
  closeIdle(): void;
}

/** Names and values of the headers in turn, and the path, as they came. */
interface Peer {
  readonly rawHeaders: readonly string[];
  readonly target: string;
  /** Breaks the connection off, once what was written has left. */
  cut(): void;
}

/** What a connection may do, and how many there may be. */
export interface ConnectionLimits {
  readonly headerBytes: number;
  /** Milliseconds in which the headers, and the whole request, have to come; how often that is looked at. */
  readonly headersMs: number;
  readonly requestMs: number;
  readonly checkMs: number;
  /** Milliseconds that a connection may wait for a further request, and that a reader may take nothing. */
  readonly keepAliveMs: number;
  readonly idleWriteMs: number;
  readonly requestsPerSocket: number;
  readonly connections: number;
  /** Connections of one address other than this machine's own. */
  readonly perAddress: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  headerBytes: 16_384,
  headersMs: 10_000,
  requestMs: 30_000,
  checkMs: 1_000,
  keepAliveMs: 5_000,
  idleWriteMs: 30_000,
  requestsPerSocket: 1_000,
  connections: 2_048,
  perAddress: 64,
};

/** @throws MG_SERVE_PORT_BUSY, MG_SERVE_ADDRESS */
export async function listen(
  answer: (request: Request, peer: Peer) => Promise<Response>,
  { host, port, limits }: ListenerOptions,
): Promise<NodeListener> {
  const L = { ...CONNECTION_LIMITS, ...limits };
  const answering = new WeakMap<Socket, ServerResponse>();
  const server = createAdaptorServer({
    // The Request that is built has an address made of Host; nothing is decided by it.
    hostname: 'localhost',
    overrideGlobalObjects: false,
    createServer,
    serverOptions: {
      maxHeaderSize: L.headerBytes,
      headersTimeout: L.headersMs,
      requestTimeout: L.requestMs,
      connectionsCheckingInterval: L.checkMs,
      keepAliveTimeout: L.keepAliveMs,
    },
    fetch: async (request, env) => {
      const { incoming, outgoing } = env as { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };
      const { rawHeaders, url = '', socket } = incoming;
      answering.set(socket, outgoing);
      const response = await answer(request, {
        rawHeaders,
        target: url,
        cut: () => setImmediate(() => socket.destroy()),
      });
      return isStream(response) ? response : await sendWhole(response, outgoing);
    },
  }) as HttpServer;
  server.maxHeadersCount = 0; // all are counted where they are looked at
  server.maxRequestsPerSocket = L.requestsPerSocket;
  server.maxConnections = L.connections;
  server.setTimeout(L.idleWriteMs);
  // No byte moved for a while: if some are waiting to be read, nobody reads them. Without any, the answer is being computed.
  server.on('timeout', (socket: Socket) => {
    const response = answering.get(socket);
    if (response === undefined || response.writableFinished || response.writableLength > 0) socket.destroy();
  });
  server.on('clientError', answerGarbage);
  limitAddresses(server, L.perAddress);
  await started(server, host, port);
  const own = (server.address() as AddressInfo).port;
  const shown = host.includes(':') ? `[${host.replace(/^\[|\]$/g, '')}]` : host;
  return {
    host,
    port: own,
    url: `http://${shown}:${own}`,
    closeIdle: () => server.closeIdleConnections(),
    close() {
      return new Promise((resolve) => {
        // What has been said last is on its way; whoever does not take it now is cut off.
        const timer = setTimeout(() => server.closeAllConnections(), LAST_WORDS_MS);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      });
    },
  };
}

const LAST_WORDS_MS = 250;

const isStream = ({ headers }: Response) =>
  headers.has('transfer-encoding') || headers.get('content-type')?.startsWith('text/event-stream') === true;

/** What is there as a whole is sent in one go, which takes half the time of sending it as a stream. */
async function sendWhole(response: Response, outgoing: ServerResponse): Promise<Response> {
  const bytes = new Uint8Array(await response.arrayBuffer());
  if (outgoing.destroyed) return RESPONSE_ALREADY_SENT;
  outgoing.writeHead(response.status, [...response.headers, ['content-length', String(bytes.length)]].flat());
  outgoing.end(bytes);
  return RESPONSE_ALREADY_SENT;
}

const GARBAGE: Readonly<Record<string, number>> = {
  HPE_HEADER_OVERFLOW: 431,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
};

function answerGarbage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = GARBAGE[error.code ?? ''] ?? 400;
  const message = STATUS_CODES[status] ?? '';
  const body = JSON.stringify({
    error: { message, type: 'invalid_request_error', param: null, code: 'invalid_request' },
  });
  const head = [
    `HTTP/1.1 ${status} ${message}`,
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}

function limitAddresses(server: HttpServer, most: number): void {
  const counts = new Map<string, number>();
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    if (/^(::1$|127\.|::ffff:127\.)/.test(address)) return;
    const count = (counts.get(address) ?? 0) + 1;
    if (count > most) {
      socket.destroy();
      return;
    }
    counts.set(address, count);
    socket.on('close', () => {
      const left = (counts.get(address) ?? 1) - 1;
      if (left === 0) counts.delete(address);
      else counts.set(address, left);
    });
  });
}

function started(server: HttpServer, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, host, port)));
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve();
    });
  });
}

function cannotListen({ code = '', message }: NodeJS.ErrnoException, host: string, port: number): MicrogptError {
  if (code === 'EADDRINUSE') {
    return new MicrogptError(
      'MG_SERVE_PORT_BUSY',
      `${host}:${port} is in use by another program`,
      `end that program, or take another port: --port ${port + 1}, or --port 0 for any that is free`,
    );
  }
  const why = code === 'EACCES' ? 'it is not permitted (ports below 1024 belong to root)' : `${code || message}`;
  const remedy = code === 'EACCES' ? 'take a port from 1024 up' : 'give an address of this machine, such as 127.0.0.1';
  return new MicrogptError('MG_SERVE_ADDRESS', `cannot listen on ${host}:${port}: ${why}`, remedy);
}
