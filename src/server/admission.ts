/**
 * Who is answered now, who waits, who is refused. First come, first served.
 * Refuses to know: what is asked. Invariants: never more than `active` are in, never more than `queued` wait; whoever leaves the queue,
 * by his turn, his patience or his going away, leaves nothing behind.
 */
import type { LoadLimits } from './limits.js';
import { overloaded, Refusal } from './refusal.js';

export interface Admission {
  /** @throws Refusal 503 when nobody could come in now, not even to wait */
  requireRoom(): void;
  /** Waits for a turn; the function that is given back ends it. @throws Refusal 503, 429 */
  enter(key: string | null, signal: AbortSignal): Promise<Ticket>;
  readonly active: () => number;
  readonly waiting: () => number;
  /** From now on nobody comes in; those who wait are sent away. */
  drain(): void;
  readonly draining: () => boolean;
  /** When nobody is in any more. */
  idle(): Promise<void>;
}

export interface Ticket {
  readonly queueMs: number;
  leave(): void;
}

interface Waiting {
  admit(): void;
  refuse(why: Refusal): void;
}

export const drainingRefusal = (): Refusal =>
  new Refusal(503, 'server_shutdown', 'the server is shutting down', {
    headers: { 'retry-after': '1', connection: 'close' },
  });

export function createAdmission(limits: LoadLimits): Admission {
  const queue = new Set<Waiting>(); // in the order in which they came
  const perKey = new Map<string, number>();
  const idlers = new Set<() => void>();
  let active = 0;
  let draining = false;

  function take(key: string): void {
    const count = perKey.get(key) ?? 0;
    if (count >= limits.perKey) {
      const message = `${count} requests with this key are being answered or wait, which is the most`;
      throw new Refusal(429, 'rate_limit_exceeded', message, { headers: { 'retry-after': '1' } });
    }
    perKey.set(key, count + 1);
  }

  function giveBack(key: string): void {
    const count = (perKey.get(key) ?? 1) - 1;
    if (count === 0) perKey.delete(key);
    else perKey.set(key, count);
  }

  function ticket(key: string | null, queueMs: number): Ticket {
    let inside = true;
    return {
      queueMs,
      leave() {
        if (!inside) return;
        inside = false;
        active--;
        if (key !== null) giveBack(key);
        const [first] = queue;
        first?.admit();
        if (active > 0) return;
        for (const resume of idlers) resume();
        idlers.clear();
      },
    };
  }

  function wait(key: string | null, signal: AbortSignal): Promise<Ticket> {
    const since = performance.now();
    return new Promise((resolve, reject) => {
      function out(): void {
        queue.delete(waiting);
        clearTimeout(timer);
        signal.removeEventListener('abort', gone);
      }
      const waiting: Waiting = {
        admit() {
          out();
          active++;
          resolve(ticket(key, performance.now() - since));
        },
        refuse(why) {
          out();
          if (key !== null) giveBack(key);
          reject(why);
        },
      };
      const gone = () => waiting.refuse(new Refusal(408, 'client_closed', 'the client went away'));
      const timer = setTimeout(
        () => waiting.refuse(overloaded(`no turn came within ${limits.waitMs / 1000} s`, 5)),
        limits.waitMs,
      );
      signal.addEventListener('abort', gone);
      queue.add(waiting);
    });
  }

  function requireRoom(): void {
    if (draining) throw drainingRefusal();
    if (active >= limits.active && queue.size >= limits.queued) {
      throw overloaded(`${active} requests are being answered and ${queue.size} wait, which is the most`);
    }
  }

  return {
    requireRoom,
    async enter(key, signal) {
      requireRoom();
      if (key !== null) take(key);
      if (active >= limits.active) return await wait(key, signal);
      active++;
      return ticket(key, 0);
    },
    active: () => active,
    waiting: () => queue.size,
    drain() {
      draining = true;
      for (const waiting of [...queue]) waiting.refuse(drainingRefusal());
    },
    draining: () => draining,
    idle: () => (active === 0 ? Promise.resolve() : new Promise((resolve) => idlers.add(resolve))),
  };
}
