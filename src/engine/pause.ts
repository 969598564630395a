/**
 * A pause in which the event loop turns: signals, sockets, screens and timers get their chance. Much shorter than a timer's least time.
 * Node has setImmediate for it; in browsers a message to oneself does the same. (Not in Node: there, up to a thousand such messages are
 * taken before anything else gets its turn.)
 * Invariant: a pause that nobody waits for keeps no process alive.
 */
export interface Pauses {
  pause(): Promise<void>;
  close(): void;
}

/** A message port as browsers have it. */
interface Port {
  onmessage: (() => void) | null;
}

export function createPauses(): Pauses {
  const { setImmediate } = globalThis as { setImmediate?: (callback: () => void) => unknown };
  if (setImmediate !== undefined) {
    return { pause: () => new Promise((resolve) => setImmediate(resolve)), close() {} };
  }
  const { port1, port2 } = new MessageChannel();
  let resume: (() => void) | null = null;
  (port1 as unknown as Port).onmessage = () => resume?.();
  return {
    pause: () =>
      new Promise((resolve) => {
        resume = resolve;
        port2.postMessage(null);
      }),
    close() {
      port1.close();
      port2.close();
    },
  };
}
