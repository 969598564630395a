/**
 * A run in one file, as the playground saves it, becomes a run folder that training can go on in.
 * Refuses to know: training. Invariant: the folder says of the run what the file says; a folder with another run in it is left alone.
 */
import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { MicrogptError } from '../../base/errors.js';
import { LIMITS } from '../../base/limits.js';
import { decodeModel } from '../../checkpoint/decode.js';
import { resumedFrom } from '../../engine/run-state.js';
import { parameterTable } from '../../model/parameters.js';
import { readFileBounded } from '../../node/files.js';
import { openRun } from '../../node/runs.js';
import { findScenarioText, loadScenario, scenarioNames } from '../../node/scenarios.js';
import type { RunRecord } from '../../report/record.js';
import { settingsFromJson } from '../../train/settings.js';
import { note } from '../output.js';
import type { TrainFlags } from './flags.js';

const DATA = { name: '', bytes: 0, sha256: '', documents: 0, heldOut: 0, tokens: 0, characters: 0 };

/**
 * The folder to go on in, and what is left of the flags: the folder that was named, or a new one for the run in a file.
 * @throws MG_CKPT_*, MG_RESUME_IMPOSSIBLE, MG_RUN_INVALID, MG_CLI_USAGE, MG_FILE_*
 */
export async function unpackRun(
  path: string,
  flags: TrainFlags,
): Promise<{ readonly folder: string; readonly flags: TrainFlags }> {
  if (!(await stat(path).catch(() => null))?.isFile()) {
    if (!flags.overwrite) return { folder: path, flags };
    throw new MicrogptError(
      'MG_CLI_USAGE',
      `--resume goes on with the run in ${path}, and --overwrite throws it away`,
      'leave one of them out',
    );
  }
  const bytes = await readFileBounded(path, LIMITS.modelBytes, 'give the file of a run');
  const { checkpoint } = decodeModel(bytes, path);
  const { settings, step } = resumedFrom(checkpoint);
  const { name: text, ...facts } = settingsFromJson(DATA, checkpoint.run?.['data'], path);
  const name = basename(path).replace(/(\.run)?\.[a-z]+$/i, '');
  const record: RunRecord = {
    format: 'microgpt run',
    version: 1,
    name,
    settings,
    config: checkpoint.config,
    parameters: parameterTable(checkpoint.config).total,
    data: { path: resolve(flags.data ?? (await textCalled(text, path))), ...facts },
    initFrom: null,
    ...(flags.saveEvery === undefined ? {} : { saveEvery: flags.saveEvery }),
  };
  const folder = flags.run ?? join('models', name);
  const run = await openRun(folder, {
    create: { settings: record, replace: flags.overwrite ? 'anything' : 'nothing' },
  });
  try {
    await run.saveCheckpoint(step, bytes);
  } finally {
    await run.close();
  }
  note(`the run of ${path} goes on in ${folder}`);
  const { run: _, ...rest } = flags;
  return { folder, flags: rest };
}

/** The text of that name that comes with microgpt. */
async function textCalled(name: string, path: string): Promise<string> {
  for (const scenario of await scenarioNames()) {
    const found = await loadScenario(scenario);
    if (found.path !== null && basename(found.path) === name) return findScenarioText(found);
  }
  throw new MicrogptError(
    'MG_CLI_USAGE',
    `${path} is a run that was begun with ${name}, which does not come with microgpt`,
    'say where that text is: --data FILE',
  );
}
