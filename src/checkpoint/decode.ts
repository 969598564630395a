/**
 * Bytes → checkpoint, the format recognised by content, never by name.
 * Two formats come in two files: `recognise` says which other file belongs to one, by a rule and never from inside the file.
 */
import { MicrogptError } from '../base/errors.js';
import { type JsonObject, parseJson } from '../base/json.js';
import { LIMITS } from '../base/limits.js';
import { type OptionNames, requireNames } from '../base/options.js';
import { decodeUtf8 } from '../data/documents.js';
import type { Decoded, DecodeOptions, FormatName } from './checkpoint.js';
import { decodeFlatJson, isFlatJson } from './flat-json.js';
import { decodeNestedJson, isNestedJson } from './nested-json.js';
import { decodePrefix, isPrefixBin, isPrefixJson } from './prefix.js';
import { bad, count } from './refusal.js';
import { decodeSafetensors } from './safetensors.js';
import { isSafetensors } from './safetensors-container.js';
import { foreignFile } from './signatures.js';
import { decodeWeightsMeta, isMeta, isWeights } from './weights-meta.js';

export const DECODE_NAMES: OptionNames<DecodeOptions> = { activation: true, partner: true };

/** A file of which the format is known and nothing else has been checked. */
export interface Recognised {
  readonly format: FormatName;
  /** The name of the file that belongs to this one, from its own name; null when the model is in one file. */
  readonly partner: ((name: string) => string) | null;
  /** @throws MG_CKPT_* */
  decode(options: DecodeOptions): Decoded;
}

/**
 * @throws MG_CKPT_UNKNOWN for anything that is not a model, MG_CKPT_JSON for broken JSON, and what the codec of the format throws.
 */
export function decodeModel(bytes: Uint8Array, source = 'the model', options: DecodeOptions = {}): Decoded {
  requireNames('decodeModel', options, DECODE_NAMES);
  if (!(bytes instanceof Uint8Array)) {
    throw new MicrogptError('MG_OPTION_VALUE', `a model is ${typeof bytes}, expected its bytes`, 'give a Uint8Array');
  }
  return recognise(bytes, source).decode(options);
}

/** @throws MG_CKPT_UNKNOWN, MG_CKPT_JSON, MG_FILE_SIZE */
export function recognise(bytes: Uint8Array, source: string): Recognised {
  const recognised = recogniseContent(bytes, source);
  return { ...recognised, decode: (options) => believingTheFile(recognised.decode(options), options, source) };
}

/** What the caller says counts where the file says nothing; elsewhere he is told. */
function believingTheFile(decoded: Decoded, { activation }: DecodeOptions, source: string): Decoded {
  const own = decoded.checkpoint.config.activation;
  if (activation === undefined || activation === own) return decoded;
  const contradicted = `the activation of ${source} is ${own}, as the file says: ${activation} is not used`;
  return { ...decoded, notes: [...decoded.notes, contradicted] };
}

function recogniseContent(bytes: Uint8Array, source: string): Recognised {
  const whole = (format: FormatName, decode: Recognised['decode']): Recognised => ({ format, partner: null, decode });
  // The name decides only where the content says nothing: then it is a safetensors file that is too short.
  if (isSafetensors(bytes) || (bytes.length <= 8 && bytes.length > 0 && source.endsWith('.safetensors'))) {
    return whole('safetensors', () => decodeSafetensors(bytes, source));
  }
  if (isPrefixBin(bytes)) {
    return half('prefix .json + .bin', source, withExtension('.json'), (partner) => {
      const json = jsonIn(partner, source);
      if (!isPrefixJson(json)) throw bad('MG_CKPT_UNKNOWN', source, 'the .json beside it does not belong to a .bin');
      return decodePrefix(json, bytes, source);
    });
  }
  const file = jsonIn(bytes, source);
  if (isNestedJson(file)) return whole('nested model.json', (options) => decodeNestedJson(file, options, source));
  if (isFlatJson(file)) return whole('flat model.json', (options) => decodeFlatJson(file, options, source));
  if (isPrefixJson(file)) {
    return half('prefix .json + .bin', source, withExtension('.bin'), (partner) => decodePrefix(file, partner, source));
  }
  const weightsAndMeta = (
    name: string,
    isPartner: typeof isMeta,
    order: (other: JsonObject) => [JsonObject, JsonObject],
  ) =>
    half(
      'weights.json + meta.json',
      source,
      () => name,
      (partner, options) => {
        const other = jsonIn(partner, name);
        if (!isPartner(other)) throw bad('MG_CKPT_UNKNOWN', source, `the ${name} that goes with it is something else`);
        return decodeWeightsMeta(...order(other), options, source);
      },
    );
  if (isMeta(file)) return weightsAndMeta('weights.json', isWeights, (weights) => [weights, file]);
  if (isWeights(file)) return weightsAndMeta('meta.json', isMeta, (meta) => [file, meta]);
  throw unknown(`${source} is JSON, but not a model`, 'give a model.json, as `microgpt train` writes it');
}

function half(
  format: FormatName,
  source: string,
  partner: (name: string) => string,
  decode: (partner: Uint8Array, options: DecodeOptions) => Decoded,
): Recognised {
  return {
    format,
    partner,
    decode(options) {
      if (options.partner !== undefined) return decode(options.partner, options);
      const other = partner(source.split(/[\\/]/).at(-1)!);
      throw unknown(`${source} is one half of a model, the other is ${other}`, `keep both in one folder`);
    },
  };
}

const withExtension = (extension: string) => (name: string) => name.replace(/(\.json|\.bin)?$/, extension);

function jsonIn(bytes: Uint8Array, source: string): JsonObject {
  const start = bytes.find((byte) => byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9);
  if (start !== 0x7b) {
    const { what, remedy } = foreignFile(bytes);
    throw unknown(`${source} ${what}`, remedy);
  }
  if (bytes.length > LIMITS.modelJsonBytes) {
    throw new MicrogptError(
      'MG_FILE_SIZE',
      `${source} has ${count(bytes.length)} bytes, a model in JSON may have ${count(LIMITS.modelJsonBytes)}`,
      'use a smaller model, or the safetensors format',
    );
  }
  let text: string;
  try {
    text = decodeUtf8(bytes, source);
  } catch (error) {
    if (!(error instanceof MicrogptError)) throw error;
    throw new MicrogptError('MG_CKPT_JSON', error.message, 'use a file that is whole and unchanged');
  }
  return parseJson(text, source, 'MG_CKPT_JSON', 'MG_CKPT_NAME') as JsonObject;
}

function unknown(message: string, remedy: string): MicrogptError {
  return new MicrogptError('MG_CKPT_UNKNOWN', message, remedy);
}
