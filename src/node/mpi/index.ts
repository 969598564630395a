/**
 * The transport between processes: Open MPI's collective calls through koffi, on the caller's own arrays.
 * Refuses to know: what the numbers mean. Invariant: nothing is loaded unless a launcher started this process as one of several; a call
 * blocks until it is done, and MPI itself ends the process when another one is gone.
 */
import { MicrogptError } from '../../base/errors.js';
import type { Layout, Transport } from '../../train/ranks.js';
import { firstLibrary, firstLine, type Library, loadForeign } from '../foreign.js';
import { type Launched, launchedBy } from './launcher.js';

/** Open MPI 4 and 5. Others have the same names for other things: their handles are numbers, not addresses. */
const LIBRARIES = ['libmpi.so.40', 'libmpi.so', 'libmpi.40.dylib', 'libmpi.dylib'];
const REMEDY = 'install Open MPI (Debian: openmpi-bin) and the npm package koffi on every machine, or leave out mpirun';

/** Null for a process that was started alone. @throws MG_MPI_UNAVAILABLE */
export async function joinRanks(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  libraries: readonly string[] = LIBRARIES,
): Promise<{ readonly transport: Group; readonly launched: Launched } | null> {
  const launched = launchedBy(environment);
  if (launched === null) return null;
  if (launched.by === 'another MPI') throw unavailable('it was started by the mpiexec of MPICH or a relative', REMEDY);
  const koffi = await loadForeign();
  if ('missing' in koffi) throw unavailable(koffi.missing, REMEDY);
  const opened = firstLibrary(koffi.found, libraries);
  if ('missing' in opened) throw unavailable(opened.missing, REMEDY);
  const { name, library } = opened.found;
  try {
    return { transport: openTransport(library), launched };
  } catch (error) {
    throw unavailable(`${name} is not Open MPI's (${firstLine(error)})`, REMEDY);
  }
}

function unavailable(why: string, remedy: string): MicrogptError {
  return new MicrogptError('MG_MPI_UNAVAILABLE', `this process was started as one of several, but ${why}`, remedy);
}

/** All processes that were started together, or a group of them. */
export interface Group extends Transport {
  /** Groups of those with the same number, each in the order of the ranks. All must call it. */
  split(number: number): Group;
  /**
   * Waits until every rank has come here, without keeping a core busy; false when `signal` came first. After that the group is of no use:
   * who has come waits for ever for who has not.
   */
  meet(signal?: AbortSignal): Promise<boolean>;
}

type Call = (...args: unknown[]) => number;

/** MPI counts in C ints. */
const MOST_BYTES = 2 ** 30;
/** Between two looks whether all have come. */
const LOOK_MS = 10;

function openTransport(library: Library): Group {
  const byte = library.symbol('ompi_mpi_byte');
  const call = (prototype: string): Call => {
    const f = library.func(prototype) as unknown as Call;
    const name = /(MPI_\w+)/.exec(prototype)?.[1];
    return (...args) => {
      const code = f(...args);
      if (code !== 0) throw new Error(`${name} failed with code ${code}`);
      return code;
    };
  };
  const initialize = call('int MPI_Init(void *argc, void *argv)');
  const finalize = call('int MPI_Finalize()');
  const rankOf = call('int MPI_Comm_rank(void *comm, void *rank)');
  const sizeOf = call('int MPI_Comm_size(void *comm, void *size)');
  const splitUp = call('int MPI_Comm_split(void *comm, int color, int key, void *group)');
  const broadcast = call('int MPI_Bcast(void *buffer, int count, void *type, int root, void *comm)');
  const allToAll = call(
    'int MPI_Alltoallv(const void *send, const void *counts, const void *from, void *type, void *receive, const void *counts2, const void *from2, void *type2, void *comm)',
  );
  const allGather = call(
    'int MPI_Allgatherv(const void *send, int count, void *type, void *receive, const void *counts, const void *from, void *type2, void *comm)',
  );
  const beginToMeet = call('int MPI_Ibarrier(void *comm, void *request)');
  const test = call('int MPI_Test(void *request, void *isDone, void *status)');

  initialize(null, null);
  const number = (ask: Call, comm: unknown): number => {
    const out = new Int32Array(1);
    ask(comm, out);
    return out[0] as number;
  };

  /** A communicator is an address here, which is why others than Open MPI will not do. */
  function groupOf(comm: unknown): Group {
    const rank = number(rankOf, comm);
    let spent = 0; // ms
    const timed = (act: () => void): void => {
      const start = performance.now();
      act();
      spent += performance.now() - start;
    };
    return {
      rank,
      size: number(sizeOf, comm),
      broadcast(bytes) {
        timed(() => {
          for (let at = 0; at < bytes.length; at += MOST_BYTES) {
            const piece = bytes.subarray(at, at + MOST_BYTES);
            broadcast(piece, piece.length, byte, 0, comm);
          }
        });
      },
      allToAll(send, sent: Layout, receive, received: Layout) {
        timed(() => allToAll(send, sent.count, sent.from, byte, receive, received.count, received.from, byte, comm));
      },
      allGather(mine, all, counts) {
        const from = new Int32Array(counts.length);
        for (let s = 1; s < counts.length; s++) from[s] = (from[s - 1] as number) + (counts[s - 1] as number);
        timed(() => allGather(mine, mine.length, byte, all, counts, from, byte, comm));
      },
      seconds: () => spent / 1000,
      split(number) {
        const out = new BigUint64Array(1);
        splitUp(comm, number, rank, out);
        return groupOf(out[0]);
      },
      async meet(signal) {
        const [request, isDone] = [new BigUint64Array(1), new Int32Array(1)];
        beginToMeet(comm, request);
        for (;;) {
          test(request, isDone, null);
          if (isDone[0] !== 0) return true;
          if (signal?.aborted) return false;
          await new Promise((done) => setTimeout(done, LOOK_MS));
        }
      },
      close() {
        finalize();
      },
    };
  }
  return groupOf(library.symbol('ompi_mpi_comm_world'));
}
