/**
 * microgpt train --resume: goes on with a run that was stopped, with the settings that it was begun with.
 */
import { basename, join } from 'node:path';
import { MicrogptError } from '../../base/errors.js';
import { shellWord } from '../../base/shell-word.js';
import type { Checkpoint } from '../../checkpoint/checkpoint.js';
import { decodeModel } from '../../checkpoint/decode.js';
import type { BackendName } from '../../engine/engine.js';
import { resumedFrom } from '../../engine/run-state.js';
import { createTraining } from '../../engine/training.js';
import { loadModel } from '../../node/models.js';
import { openRun, type Run } from '../../node/runs.js';
import { nodeThreads } from '../../node/threads.js';
import { type RunRecord, recordOf } from '../../report/record.js';
import { isFollower } from '../../train/ranks.js';
import type { RecipeName } from '../../train/recipes.js';
import { differences, withOverrides } from '../../train/settings.js';
import { openProductsAmong } from '../accelerate.js';
import { count, note } from '../output.js';
import { backendCalled, corpusOptions, settingsOf, type TrainFlags } from './flags.js';
import { giveStart, type Start, takeStart, type WatchedRanks } from './ranks.js';
import type { Best } from './recorder.js';
import { type RunPlan, runTraining } from './run.js';
import { openText } from './text.js';

export async function resumeTraining(
  folder: string,
  scenario: string | undefined,
  flags: TrainFlags,
  ranks: WatchedRanks | undefined,
): Promise<number> {
  if (isFollower(ranks)) {
    const start = takeStart(ranks, folder);
    return start === null ? 0 : goOn(start, { folder, flags, ranks, run: null });
  }
  const run = await openRun(folder, { resume: true, keep: flags.keep });
  try {
    const record = recordOf(run.settings, folder);
    refuseOthers(record.settings, scenario, folder, flags);
    if (run.finished !== null) {
      if (flags.output !== undefined) {
        throw new MicrogptError(
          'MG_CLI_USAGE',
          `the run in ${folder} is finished, so --output ${flags.output} would save nothing`,
          `its model in another place: microgpt convert ${shellWord(folder)} ${shellWord(flags.output)}`,
        );
      }
      note(`the run in ${folder} is finished: its model has all ${run.finished} steps`);
      giveStart(ranks, null);
      return 0;
    }
    const saved = await newestSave(run);
    await run.truncateMetrics(saved?.step ?? 0);
    const begins = saved === null && record.initFrom !== null ? await loadModel(record.initFrom) : null;
    const start = { record, checkpoint: saved?.checkpoint ?? null, initFrom: begins?.checkpoint ?? null };
    giveStart(ranks, start);
    return await goOn(start, { folder, flags, ranks, run });
  } finally {
    await run.close();
  }
}

/** `run` is null on ranks that keep none. */
async function goOn(
  { record, checkpoint, initFrom }: Start,
  { folder, flags, ranks, run }: Pick<RunPlan, 'folder' | 'flags' | 'ranks'> & { readonly run: Run | null },
): Promise<number> {
  const { settings } = record;
  const idle = (ranks?.transport.size ?? 1) - settings.accumulate;
  if (idle > 0)
    note(`the batches of this run have ${settings.accumulate} parts: ${idle} of the processes have none to compute`);
  const path = flags.data ?? record.data.path;
  const start = checkpoint ?? initFrom ?? undefined;
  const ownsAlphabet = record.initFrom === null && flags.allowChanged === undefined;
  const options = corpusOptions(settings.data, settings.bosPlace, ownsAlphabet ? undefined : start);
  const corpus = await openText(path, options);
  try {
    const threads = nodeThreads(flags.threads);
    const training = createTraining({
      corpus,
      threads,
      products: await openProductsAmong(ranks, flags.accelerate, settings.backend as BackendName, threads.count),
      ranks,
      ...(checkpoint === null ? fromTheBeginning(record, corpus.facts.sha256, start) : { resume: checkpoint }),
      allowChanged: flags.allowChanged,
    });
    const step = training.startStep;
    return await runTraining(training, {
      name: record.name,
      about: `going on with ${folder} ${step === 0 ? 'from its beginning (nothing was saved yet)' : `after step ${count(step)}`}, on ${basename(path)}`,
      notes: [],
      dataPath: path,
      folder,
      resume: run && { run, best: await bestSoFar(folder, step) },
      flags: record.saveEvery === undefined ? flags : { saveEvery: record.saveEvery, ...flags },
      ranks,
    });
  } finally {
    await corpus.close();
  }
}

async function newestSave(run: Run): Promise<{ readonly step: number; readonly checkpoint: Checkpoint } | null> {
  const newest = await run.newestCheckpoint((bytes, path) => {
    resumedFrom(decodeModel(bytes, path).checkpoint);
  });
  if (newest === null) return null;
  if (newest.warning !== null) note(newest.warning.message);
  return { step: newest.step, checkpoint: decodeModel(newest.bytes, newest.path).checkpoint };
}

/** What the run was begun with, when it was stopped before its first save. */
function fromTheBeginning({ settings, data }: RunRecord, sha256: string | null, initFrom: Checkpoint | undefined) {
  if (data.sha256 !== sha256) {
    throw new MicrogptError(
      'MG_RESUME_CHANGED',
      `${data.path} is not the text that this run was begun with: its sha256 was ${data.sha256.slice(0, 12)}…, is ${sha256?.slice(0, 12)}…`,
      'restore the file, or start a new run',
    );
  }
  const { recipe, seed, backend, ...rest } = settings;
  return {
    recipe: recipe as RecipeName,
    seed: BigInt(seed),
    backend: backend as BackendName,
    settings: rest,
    initFrom,
  };
}

/**
 * The best model up to a step, from best.safetensors. One from beyond that step does not count: it will come again. A damaged one is
 * lost; then the run ends with a later one.
 */
async function bestSoFar(folder: string, step: number): Promise<Best | null> {
  const path = join(folder, 'best.safetensors');
  const loaded = await loadModel(path).catch((error: unknown) => {
    if (error instanceof MicrogptError && error.code !== 'MG_FILE_MISSING')
      note(`${error.message}: going on without it`);
    return null;
  });
  const best = loaded?.checkpoint.run?.['validation'];
  if (loaded === null || typeof best !== 'object' || best === null || !('step' in best) || !('loss' in best))
    return null;
  const { step: at, loss } = best as { readonly step: number; readonly loss: number };
  return at > step ? null : { step: at, loss, model: loaded.checkpoint };
}

const FLAG = { config: '--config', initFrom: '--init-from', time: '--time', run: '--run' } as const;

/** A run goes on as it was begun; another seed or learning rate would be another run. @throws MG_RESUME_CHANGED */
function refuseOthers(
  settings: ReturnType<typeof recordOf>['settings'],
  scenario: string | undefined,
  folder: string,
  flags: TrainFlags,
): void {
  const twice =
    scenario ??
    (['config', 'initFrom', 'time', 'run'] as const)
      .filter((name) => flags[name] !== undefined && flags[name] !== folder) // a run from a file gets the folder of --run
      .map((name) => FLAG[name])[0];
  if (twice !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `--resume ${folder} goes on with a run as it was begun; ${twice} is for a new one`,
      `leave out ${twice}`,
    );
  }
  const asked = {
    ...withOverrides(settings, settingsOf(flags)),
    ...(flags.seed === undefined ? {} : { seed: String(flags.seed) }),
    ...(flags.backend === undefined || flags.backend === 'auto' ? {} : { backend: backendCalled(flags.backend) }),
    ...(flags.recipe === undefined ? {} : { recipe: flags.recipe }),
  };
  const [first] = differences(settings, asked);
  if (first !== undefined) {
    throw new MicrogptError(
      'MG_RESUME_CHANGED',
      `this run was begun with ${first.name} ${String(first.before)}, not ${String(first.now)}`,
      'leave the flag out to go on as it was, or start a new run (--init-from keeps the weights)',
    );
  }
}
