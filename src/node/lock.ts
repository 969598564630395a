/**
 * One trainer at a time in a run folder. The lock is a folder `run.lock` with one empty file in it, whose name says who holds it.
 * Taking it: a folder with our file is made beside it and renamed to `run.lock`, which the system refuses while that holds a file.
 * A holder that is gone is removed by removing the file of its name, which harms nobody else: so there is no moment in which two
 * processes can both take it, and none in which a killed one locks it for ever.
 * Invariant: of any number of living processes at most one holds the lock.
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { temporaryBeside } from './durable.js';
import { errno, type FileSystem, ifThere } from './file-system.js';

/** Who may hold a lock. */
export interface Holder {
  readonly pid: number;
  /** Tells two processes with the same id apart: the machine's start and the process's own; "0" where the system does not say. */
  readonly start: string;
  readonly host: string;
}

/** Ourselves, and how to find out whether another is still there. */
export interface Processes {
  readonly self: Holder;
  readonly isAlive: (holder: Holder) => boolean;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export interface Lock {
  /** Processes that held the lock before and are gone. */
  readonly dead: readonly number[];
  release(): Promise<void>;
}

export const LOCK = 'run.lock';
/** Each further attempt needs another process that just died or just let go. */
const ATTEMPTS = 20;

/** @throws MG_RUN_LOCKED; what the system refuses passes through. */
export async function lockRun(fs: FileSystem, folder: string, processes: Processes): Promise<Lock> {
  const lock = join(folder, LOCK);
  const { self, now } = processes;
  const name = `${self.pid}-${self.start}-${now()}-${self.host}`;
  const dead: number[] = [];
  const claim = temporaryBeside(lock);
  await fs.mkdir(claim);
  try {
    await fs.close(await fs.open(join(claim, name), 'create'));
    for (let attempt = 1; ; attempt++) {
      for (const entry of (await ifThere(fs.readdir(lock))) ?? []) {
        const { holder, since } = parseHolder(entry);
        if (processes.isAlive(holder)) throw locked(folder, lock, holder, since, self);
        await ifThere(fs.unlink(join(lock, entry)));
        dead.push(holder.pid);
      }
      await fs.rmdir(lock).catch(() => {}); // Windows renames onto nothing only; a folder with a file in it stays
      try {
        await fs.rename(claim, lock);
        break;
      } catch (error) {
        // Windows says "not permitted" for a folder that is there.
        const taken =
          errno(error) === 'ENOTEMPTY' ||
          errno(error) === 'EEXIST' ||
          (process.platform === 'win32' && (await ifThere(fs.stat(lock))) !== null);
        if (!taken || attempt >= ATTEMPTS) throw error;
      }
    }
  } catch (error) {
    await fs.unlink(join(claim, name)).catch(() => {});
    await fs.rmdir(claim).catch(() => {});
    throw error;
  }
  return {
    dead,
    release: async () => {
      await fs.unlink(join(lock, name)).catch(() => {});
      await fs.rmdir(lock).catch(() => {});
    },
  };
}

/** Removes the claims of processes that died while they took the lock. */
export async function sweepClaims(fs: FileSystem, folder: string, processes: Processes): Promise<void> {
  for (const name of await fs.readdir(folder)) {
    const pid = /^\.run\.lock\.(\d+)\.\d+\.tmp$/.exec(name)?.[1];
    if (pid === undefined || processes.isAlive({ ...processes.self, pid: Number(pid), start: '0' })) continue;
    const claim = join(folder, name);
    for (const entry of await fs.readdir(claim).catch(() => [])) await fs.unlink(join(claim, entry)).catch(() => {});
    await fs.rmdir(claim).catch(() => {});
  }
}

function parseHolder(name: string): { holder: Holder; since: number } {
  const [pid, start, since, ...host] = name.split('-');
  return { holder: { pid: Number(pid), start, host: host.join('-') }, since: Number(since) };
}

function locked(folder: string, lock: string, holder: Holder, since: number, self: Holder): MicrogptError {
  const elsewhere = holder.host !== self.host;
  const who =
    holder.pid === self.pid && !elsewhere
      ? 'this very process'
      : `process ${holder.pid}${elsewhere ? ` on ${holder.host}` : ''}`;
  const when = Number.isFinite(since)
    ? ` since ${new Date(since).toISOString().slice(0, 16).replace('T', ' ')} UTC`
    : '';
  return new MicrogptError(
    'MG_RUN_LOCKED',
    `${folder} is being trained by ${who}${when}`,
    elsewhere
      ? `use another --run, or wait; if that machine trains no more, delete ${lock}`
      : 'use another --run, or wait until it has finished',
  );
}

/** The processes of this machine. A holder on another machine counts as alive: we cannot look. */
export function nodeProcesses(): Processes {
  const host = hostname()
    .replace(/[^A-Za-z0-9.-]/g, '_')
    .slice(0, 64);
  return {
    self: { pid: process.pid, start: startOf(process.pid) ?? '0', host },
    isAlive: (holder) => {
      if (holder.host !== host) return true;
      try {
        process.kill(holder.pid, 0);
      } catch (error) {
        if (errno(error) === 'ESRCH') return false;
      }
      const start = startOf(holder.pid);
      return start !== 'dead' && (start === null || holder.start === '0' || start === holder.start);
    },
    now: Date.now,
  };
}

/** When a process began, as this system counts; "dead" for one that only waits to be forgotten; null where there is no /proc. */
function startOf(pid: number): string | null {
  try {
    // The name of the program, in parentheses, may hold anything. After it: state is the first field, start time the twentieth.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return 'dead';
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8);
    return `${boot}.${fields[19]}`;
  } catch {
    return null;
  }
}
