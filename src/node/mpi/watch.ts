/**
 * Somebody who outlives rank 0 long enough to say what happened: a small process beside it. A rank that waits for one that is gone hangs in
 * MPI until mpirun kills it, and can say nothing itself.
 * Refuses to know: training. Invariant: without the process, for whatever reason, only its message is missing; once `end` was called it says
 * nothing, whoever ends in what order.
 */
import { spawn } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { sha256 } from '../../base/sha256.js';
import { gather, type Transport } from '../../train/ranks.js';
import { launchedBy } from './launcher.js';

export interface Peer {
  readonly rank: number;
  readonly pid: number;
}

/** What the process is told, a line of JSON each; the last one counts. */
export interface ToWatch {
  /** The ranks on rank 0's machine, itself left out. */
  readonly peers?: readonly Peer[];
  /** The folder of the run, which holds its checkpoints. */
  readonly run?: string;
  /** How to go on, if not with the run. */
  readonly again?: string;
  readonly end?: true;
}

export interface Watch {
  /** All ranks must call it; only those of one machine can be seen from there. */
  meet(transport: Transport): void;
  tell(facts: ToWatch): void;
  /** From now on everything is in order. */
  end(): void;
}

/** To be called before MPI begins, since some networks do not bear a new process afterwards. Ranks other than 0 get one that does nothing. */
export function startWatch(environment: Readonly<Record<string, string | undefined>> = process.env): Watch {
  const tell = launchedBy(environment)?.rank === 0 ? spawnWatch() : () => {};
  const end = () => tell({ end: true });
  process.once('exit', end);
  return {
    meet(transport) {
      tell({ peers: peersOf(transport) });
    },
    tell,
    end,
  };
}

function spawnWatch(): (facts: ToWatch) => void {
  try {
    const file = fileURLToPath(new URL('./watch-process.js', import.meta.url));
    // In rank 0's process group: mpirun's signals are how it learns that something is wrong.
    const child = spawn(process.execPath, [file], { stdio: ['pipe', 'ignore', 'inherit'] });
    for (const part of [child, child.stdin]) part.on('error', () => {});
    child.unref();
    (child.stdin as unknown as { unref?: () => void }).unref?.();
    return (facts) => {
      child.stdin.write(`${JSON.stringify(facts)}\n`);
    };
  } catch {
    return () => {}; // not permitted
  }
}

function peersOf(transport: Transport): Peer[] {
  const all = gather(transport, Float64Array.of(process.pid, here()));
  const peers = Array.from({ length: transport.size }, (_, rank) => ({ rank, pid: all[2 * rank] as number }));
  return peers.filter(({ rank }) => rank !== transport.rank && all[2 * rank + 1] === here());
}

/** A number for the place in which a process id means something: a machine, or a container on it. */
function here(): number {
  let namespace = '';
  try {
    namespace = readlinkSync('/proc/self/ns/pid');
  } catch {}
  return Number.parseInt(sha256(new TextEncoder().encode(hostname() + namespace)).slice(0, 12), 16);
}
