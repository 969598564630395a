/**
 * Signals while something is being computed: the first asks it to end in good order, the second ends the process at once.
 */
import { EXIT } from '../base/errors.js';

export interface Signals {
  readonly signal: AbortSignal;
  /** Of the signal that came; 0 while there was none. */
  exitCode(): number;
  /** Listens no longer; after a first signal, a second one still ends the process at once. */
  forget(): void;
}

/** `first` is called when the first one comes, `second` before the process ends. */
export function listenForSignals(first: () => void = () => {}, second: () => void = () => {}): Signals {
  const controller = new AbortController();
  let code: number = EXIT.ok;
  const codes = { SIGINT: EXIT.sigint, SIGTERM: EXIT.sigterm, SIGHUP: EXIT.sighup } as const;
  const handlers = Object.entries(codes).map(([name, exitCode]) => {
    const handler = () => {
      if (controller.signal.aborted) {
        second();
        process.exit(exitCode);
      }
      code = exitCode;
      controller.abort();
      first();
    };
    process.on(name, handler);
    return () => process.off(name, handler);
  });
  return {
    signal: controller.signal,
    exitCode: () => code,
    forget: () => {
      // After the first signal the process is about to end: a second one must still find us, or it would kill what is being closed.
      if (controller.signal.aborted) return;
      for (const off of handlers) off();
    },
  };
}
