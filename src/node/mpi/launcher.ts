/**
 * Whether this process is one of several that a launcher started, read from the environment that launchers leave.
 * Knows no library. Invariant: a process that was started alone is never taken for one of several.
 */

export interface Launched {
  readonly rank: number;
  /** Null where only the library can tell. */
  readonly size: number | null;
  /** Processes of this run on this machine. */
  readonly onThisMachine: number | null;
  readonly by: 'Open MPI' | 'PMIx' | 'another MPI';
}

export function launchedBy(environment: Readonly<Record<string, string | undefined>>): Launched | null {
  const number = (name: string): number | null => {
    const text = environment[name];
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : null;
  };
  const rank = number('OMPI_COMM_WORLD_RANK');
  if (rank !== null) {
    const size = number('OMPI_COMM_WORLD_SIZE');
    return { rank, size, onThisMachine: number('OMPI_COMM_WORLD_LOCAL_SIZE'), by: 'Open MPI' };
  }
  const pmix = number('PMIX_RANK'); // srun --mpi=pmix
  if (pmix !== null) return { rank: pmix, size: null, onThisMachine: number('SLURM_NTASKS_PER_NODE'), by: 'PMIx' };
  const pmi = number('PMI_RANK'); // MPICH and its relatives
  const size = number('PMI_SIZE');
  return pmi === null || size === null || size < 2 ? null : { rank: pmi, size, onThisMachine: null, by: 'another MPI' };
}

/** Threads for each of the processes on a machine, so that together they have no more than there are cores. */
export function threadsEach(cores: number, { onThisMachine, size }: Launched, machine: number): number {
  const processes = onThisMachine ?? size ?? 1;
  return Math.max(1, Math.min(cores, Math.floor(machine / processes)));
}
