/**
 * Who is answered now, who waits, who is refused. First come, first served. The place of a client who does not take what is written for him
 * is not counted while he does not, so that such clients keep nobody out.
 * Refuses to know: what is asked. Invariants: nobody is let in while `active` are in and take what they get, never more than `queued` wait,
 * never more than `active + behind` are let in (fewer where several texts are written for each); whoever leaves the queue, by his turn, his
 * patience or his going away, leaves nothing behind.
 */
import type { LoadLimits } from './limits.js';
import { overloaded, Refusal } from './refusal.js';

export interface Admission {
  /** @throws Refusal 503 when nobody could come in now, not even to wait */
  requireRoom(): void;
  /** Waits for a turn; the function that is given back ends it. @throws Refusal 503, 429 */
  enter(key: string | null, signal: AbortSignal, taking?: Taking): Promise<Ticket>;
  readonly active: () => number;
  readonly waiting: () => number;
  /** From now on nobody comes in; those who wait are sent away. */
  drain(): void;
  readonly draining: () => boolean;
  /** When nobody is in any more. */
  idle(): Promise<void>;
}

/** How a client takes what is written for him; kept up by whoever writes. */
export interface Taking {
  /** How many texts are written for him side by side: what is held while he is behind grows with them. */
  readonly samples: number;
  /** What he has taken so far, or has been offered last. */
  chunks: number;
  /** He wants more. */
  asked: boolean;
}

export interface Ticket {
  readonly queueMs: number;
  leave(): void;
}

/** Somebody who is being answered. */
interface Inside {
  readonly taking: Taking | undefined;
  /** What he had been offered when he was looked at last and wanted no more; -1 if he did. */
  seen: number;
  /** He had taken nothing since then. */
  behind: boolean;
}

/** While somebody waits, those who are in are looked at every so many milliseconds. */
const LOOK_MS = 100;

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
  const inside = new Set<Inside>();
  let looking: ReturnType<typeof setTimeout> | undefined;
  let draining = false;

  /** How many of those who are in count. */
  function counted(): number {
    let [clients, samples] = [0, 0]; // behind, as far as there is memory for them
    for (const one of inside) {
      one.behind &&= isStill(one);
      if (!one.behind) continue;
      samples += one.taking?.samples ?? 1;
      if (samples <= limits.behind) clients++;
    }
    return inside.size - clients;
  }

  function isStill({ taking, seen }: Inside): boolean {
    return taking !== undefined && !taking.asked && taking.chunks === seen;
  }

  /** Who is behind is known when he has taken nothing from one look to the next. */
  function look(): void {
    for (const one of inside) {
      one.behind = isStill(one);
      one.seen = one.taking === undefined || one.taking.asked ? -1 : one.taking.chunks;
    }
    admitWaiting();
    looking = queue.size > 0 ? setTimeout(look, LOOK_MS) : undefined;
  }

  function admitWaiting(): void {
    for (const waiting of queue) {
      if (counted() >= limits.active) return;
      waiting.admit();
    }
  }

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

  function ticket(key: string | null, queueMs: number, taking: Taking | undefined): Ticket {
    const one: Inside = { taking, seen: -1, behind: false };
    inside.add(one);
    return {
      queueMs,
      leave() {
        if (!inside.delete(one)) return;
        if (key !== null) giveBack(key);
        admitWaiting();
        if (inside.size > 0) return;
        for (const resume of idlers) resume();
        idlers.clear();
      },
    };
  }

  function wait(key: string | null, signal: AbortSignal, taking: Taking | undefined): Promise<Ticket> {
    const since = performance.now();
    return new Promise((resolve, reject) => {
      function out(): void {
        queue.delete(waiting);
        clearTimeout(timer);
        if (queue.size === 0) {
          clearTimeout(looking);
          looking = undefined;
        }
        signal.removeEventListener('abort', gone);
      }
      const waiting: Waiting = {
        admit() {
          out();
          resolve(ticket(key, performance.now() - since, taking));
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
      looking ??= setTimeout(look, 0);
    });
  }

  function requireRoom(): void {
    if (draining) throw drainingRefusal();
    if (queue.size >= limits.queued && counted() >= limits.active) {
      throw overloaded(`${inside.size} requests are being answered and ${queue.size} wait, which is the most`);
    }
  }

  return {
    requireRoom,
    async enter(key, signal, taking) {
      requireRoom();
      if (key !== null) take(key);
      const full = inside.size >= limits.active && (queue.size > 0 || counted() >= limits.active);
      return full ? await wait(key, signal, taking) : ticket(key, 0, taking);
    },
    active: () => inside.size,
    waiting: () => queue.size,
    drain() {
      draining = true;
      for (const waiting of [...queue]) waiting.refuse(drainingRefusal());
    },
    draining: () => draining,
    idle: () => (inside.size === 0 ? Promise.resolve() : new Promise((resolve) => idlers.add(resolve))),
  };
}
