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
): Promise<{ readonly transport: Transport; readonly launched: Launched } | null> {
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

type Call = (...args: unknown[]) => number;

function openTransport(library: Library): Transport {
  const world = library.symbol('ompi_mpi_comm_world');
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
  const broadcast = call('int MPI_Bcast(void *buffer, int count, void *type, int root, void *comm)');
  const allToAll = call(
    'int MPI_Alltoallv(const void *send, const void *counts, const void *from, void *type, void *receive, const void *counts2, const void *from2, void *type2, void *comm)',
  );
  const allGather = call(
    'int MPI_Allgatherv(const void *send, int count, void *type, void *receive, const void *counts, const void *from, void *type2, void *comm)',
  );

  initialize(null, null);
  const number = (ask: Call): number => {
    const out = new Int32Array(1);
    ask(world, out);
    return out[0] as number;
  };
  let spent = 0; // ms
  const timed = (act: () => void): void => {
    const start = performance.now();
    act();
    spent += performance.now() - start;
  };
  return {
    rank: number(rankOf),
    size: number(sizeOf),
    broadcast(bytes) {
      timed(() => broadcast(bytes, bytes.length, byte, 0, world));
    },
    allToAll(send, sent: Layout, receive, received: Layout) {
      timed(() => allToAll(send, sent.count, sent.from, byte, receive, received.count, received.from, byte, world));
    },
    allGather(mine, all, counts) {
      const from = new Int32Array(counts.length);
      for (let s = 1; s < counts.length; s++) from[s] = (from[s - 1] as number) + (counts[s - 1] as number);
      timed(() => allGather(mine, mine.length, byte, all, counts, from, byte, world));
    },
    seconds: () => spent / 1000,
    close() {
      finalize();
    },
  };
}
