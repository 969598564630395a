/**
 * A pause in which the event loop turns: signals, sockets, screens and timers get their chance. In the language of Node and browsers
 * alike, and much shorter than a timer's least time.
 * Invariant: a pause that nobody waits for keeps no process alive.
 */
export interface Pauses {
  pause(): Promise<void>;
  close(): void;
}

/** A port as browsers and Node have it. Node's keep the process alive unless told otherwise. */
interface Port {
  onmessage: (() => void) | null;
  ref?(): void;
  unref?(): void;
}

export function createPauses(): Pauses {
  const { port1, port2 } = new MessageChannel();
  const port = port1 as unknown as Port;
  let resume: (() => void) | null = null;
  port.onmessage = () => {
    port.unref?.();
    resume?.();
  };
  port.unref?.();
  return {
    pause: () =>
      new Promise((resolve) => {
        resume = resolve;
        port.ref?.();
        port2.postMessage(null);
      }),
    close() {
      port1.close();
      port2.close();
    },
  };
}
