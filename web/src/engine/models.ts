/**
 * The models of the worker: the one in training, and those that were kept or opened. Reads them from files and writes them to files.
 * Refuses to know: training. Invariant: a model that was kept does not change any more.
 */
import {
  type Checkpoint,
  type Decoded,
  decodeModel,
  encodeModel,
  encodeSafetensors,
  MicrogptError,
  parameterTable,
} from 'microgpt';
import { LIVE, type ModelId, type ModelInfo, type NamedFile, type Saved, type SaveKind } from './protocol';

interface Held {
  readonly name: string;
  readonly checkpoint: Checkpoint;
  readonly notes: readonly string[];
}

const held = new Map<ModelId, Held>();
let next = 1;
let live: (() => { readonly name: string; readonly checkpoint: Checkpoint }) | null = null;

/** Says where the model in training is to be found. */
export function setLive(found: typeof live): void {
  live = found;
}

export function modelOf(id: ModelId): Checkpoint {
  if (id === LIVE && live !== null) return live().checkpoint;
  const found = held.get(id);
  if (found === undefined) {
    throw new MicrogptError('MG_OPTION_VALUE', 'there is no model yet', 'train one, or open a file');
  }
  return found.checkpoint;
}

export function keepModel(name: string, checkpoint: Checkpoint, notes: readonly string[] = []): ModelInfo {
  const id = `m${next++}`;
  held.set(id, { name, checkpoint, notes });
  return infoOf(id, name, checkpoint, notes);
}

export function closeModel(id: ModelId): void {
  held.delete(id);
}

export function liveInfo(): ModelInfo | null {
  if (live === null) return null;
  const { name, checkpoint } = live();
  return infoOf(LIVE, name, checkpoint, []);
}

function infoOf(id: ModelId, name: string, checkpoint: Checkpoint, notes: readonly string[]): ModelInfo {
  const { config, tokenizer, optimizer, run } = checkpoint;
  const step = run?.['step'] ?? optimizer?.step;
  return {
    id,
    name,
    config,
    parameters: parameterTable(config).total,
    roles: tokenizer.roles,
    tokens: tokenizer.kind,
    step: typeof step === 'number' ? step : null,
    resumable: optimizer?.moments != null && run?.['loop'] !== undefined,
    notes,
  };
}

/** A model from one file, or from two that belong together, in whatever order they come. */
export function openModel(files: readonly NamedFile[]): ModelInfo {
  const [first, second] = files;
  if (first === undefined) throw new MicrogptError('MG_OPTION_VALUE', 'no file was given', 'choose a file');
  const { checkpoint, notes }: Decoded = decodeModel(first.bytes, first.name, { partner: second?.bytes });
  return keepModel(first.name, checkpoint, notes);
}

/** `run` is safetensors with all that training needs to go on. */
export function saveModel(id: ModelId, as: SaveKind, name: string, resumable: () => Checkpoint | null): Saved {
  if (as === 'run') {
    const run = id === LIVE ? resumable() : modelOf(id);
    if (run?.optimizer?.moments == null) {
      throw new MicrogptError('MG_RESUME_IMPOSSIBLE', 'this model has no run to go on with', 'save the model alone');
    }
    return { files: [{ name: `${name}.run.safetensors`, bytes: encodeSafetensors(run) }], lost: [] };
  }
  const path = {
    safetensors: `${name}.safetensors`,
    'nested model.json': `${name}.json`,
    'flat model.json': `${name}.flat.json`,
  };
  const { files, lost } = encodeModel(modelOf(id), as, path[as as keyof typeof path] ?? name);
  return { files: files.map((file) => ({ name: file.path.split('/').pop()!, bytes: file.bytes })), lost };
}
