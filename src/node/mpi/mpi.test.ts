/**
 * Who counts as one of several processes, and what is said where Open MPI cannot be had. Runs of several processes: test/ranks.test.ts.
 */
import { expect, test } from 'vitest';
import { joinRanks } from './index.js';
import { launchedBy, threadsEach } from './launcher.js';

test('the launchers are told apart, and a process on its own is on its own', async () => {
  expect(launchedBy({})).toBeNull();
  expect(launchedBy({ OMPI_COMM_WORLD_RANK: '', PMI_RANK: 'x', PMI_SIZE: '1' })).toBeNull();
  expect(launchedBy({ PMI_RANK: '0', PMI_SIZE: '1' })).toBeNull();
  expect(
    launchedBy({
      OMPI_COMM_WORLD_RANK: '3',
      OMPI_COMM_WORLD_SIZE: '8',
      OMPI_COMM_WORLD_LOCAL_SIZE: '4',
      PMIX_RANK: '3',
    }),
  ).toEqual({ rank: 3, size: 8, onThisMachine: 4, by: 'Open MPI' });
  expect(launchedBy({ PMIX_RANK: '1', SLURM_NTASKS_PER_NODE: '2' })).toMatchObject({
    rank: 1,
    onThisMachine: 2,
    by: 'PMIx',
  });
  expect(launchedBy({ PMI_RANK: '1', PMI_SIZE: '2' })).toMatchObject({ by: 'another MPI' });
  expect(await joinRanks({})).toBeNull();
});

test('processes of one machine share its cores', () => {
  const launched = { rank: 0, size: 8, onThisMachine: 4, by: 'Open MPI' } as const;
  expect(threadsEach(16, launched, 16)).toBe(4);
  expect(threadsEach(1, launched, 16)).toBe(1); // bound to a core by the launcher
  expect(threadsEach(2, launched, 2)).toBe(1);
  expect(threadsEach(16, { ...launched, onThisMachine: null, size: null }, 16)).toBe(16);
});

test('several processes that cannot reach one another are refused', async () => {
  const error = (promise: Promise<unknown>) => promise.then(() => 'joined', String);
  const env = { OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '2' };
  expect(await error(joinRanks(env, ['/no/such/libmpi.so']))).toMatch(
    /one of several, but (none of \/no\/such|the package koffi)/,
  );
  expect(await error(joinRanks(env, ['libm.so.6']))).toMatch(/one of several, but/);
  await expect(joinRanks({ PMI_RANK: '0', PMI_SIZE: '2' })).rejects.toMatchObject({ code: 'MG_MPI_UNAVAILABLE' });
});
