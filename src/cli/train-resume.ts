/**
 * microgpt train --resume: goes on with a run that was stopped, with the settings that it was begun with.
 */
import { basename } from 'node:path';
import { MicrogptError } from '../base/errors.js';
import { decodeModel } from '../checkpoint/decode.js';
import { createTraining } from '../engine/training.js';
import { resumedFrom } from '../engine/run-state.js';
import { openCorpus } from '../node/corpus.js';
import { openRun } from '../node/runs.js';
import { nodeThreads } from '../node/threads.js';
import { recordOf } from '../report/record.js';
import { differences, withOverrides } from '../train/settings.js';
import { note } from './output.js';
import { corpusOptions } from './train.js';
import { backendCalled, settingsOf, type TrainFlags } from './train-flags.js';
import { runTraining } from './train-run.js';

export async function resumeTraining(folder: string, scenario: string | undefined, flags: TrainFlags): Promise<number> {
  const run = await openRun(folder, { resume: true, keep: flags.keep });
  try {
    const record = recordOf(run.settings, folder);
    refuseOthers(record.settings, scenario, folder, flags);
    if (run.finished !== null) {
      note(`the run in ${folder} is finished: its model has all ${run.finished} steps`);
      return 0;
    }
    const newest = await run.newestCheckpoint((bytes, path) => {
      resumedFrom(decodeModel(bytes, path).checkpoint);
    });
    if (newest.warning !== null) note(newest.warning.message);
    const { checkpoint } = decodeModel(newest.bytes, newest.path);
    await run.truncateMetrics(newest.step);

    const path = flags.data ?? record.data.path;
    const { settings } = record;
    const corpus = await openCorpus(path, corpusOptions(settings.data, settings.bosPlace, flags.allowChanged === undefined ? undefined : checkpoint));
    try {
      const training = createTraining({
        corpus,
        threads: nodeThreads(flags.threads),
        resume: checkpoint,
        allowChanged: flags.allowChanged,
      });
      return await runTraining(training, {
        name: record.name,
        about: `going on with ${folder} after step ${newest.step.toLocaleString('en')}, on ${basename(path)}`,
        dataPath: path,
        folder,
        resume: run,
        flags,
      });
    } finally {
      await corpus.close();
    }
  } finally {
    await run.close();
  }
}

/** A run goes on as it was begun; another seed or learning rate would be another run. @throws MG_RESUME_CHANGED */
function refuseOthers(
  settings: ReturnType<typeof recordOf>['settings'],
  scenario: string | undefined,
  folder: string,
  flags: TrainFlags,
): void {
  if (scenario !== undefined) {
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `--resume ${folder} already says what to train on, and so does "${scenario}"`,
      `leave out "${scenario}"`,
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
