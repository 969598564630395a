/**
 * Bytes → checkpoint, the format recognised by content, never by name.
 */
import { MicrogptError } from '../base/errors.js';
import { parseJson } from '../base/json.js';
import { LIMITS } from '../base/limits.js';
import { decodeUtf8 } from '../data/documents.js';
import type { Decoded, DecodeOptions } from './checkpoint.js';
import { decodeFlatJson, isFlatJson } from './flat-json.js';
import { decodeNestedJson, isNestedJson } from './nested-json.js';
import { decodeSafetensors } from './safetensors.js';
import { isSafetensors } from './safetensors-container.js';

/**
 * @throws MG_CKPT_UNKNOWN for anything that is not a model, MG_CKPT_JSON for broken JSON, and what the codec of the format throws.
 */
export function decodeModel(bytes: Uint8Array, source: string, options: DecodeOptions = {}): Decoded {
  if (isSafetensors(bytes)) return decodeSafetensors(bytes, source);
  if (bytes.length > LIMITS.modelJsonBytes) {
    throw new MicrogptError(
      'MG_FILE_SIZE',
      `${source} has ${bytes.length.toLocaleString('en')} bytes, a model in JSON may have ${LIMITS.modelJsonBytes.toLocaleString('en')}`,
      'use a smaller model',
    );
  }
  const start = bytes.find((byte) => byte !== 32 && byte !== 10 && byte !== 13 && byte !== 9);
  if (start !== 0x7b) {
    const seen = new TextDecoder('latin1').decode(bytes.subarray(0, 8));
    throw unknown(
      `${source} ${bytes.length === 0 ? 'is empty' : `starts with ${JSON.stringify(seen)}`}: not a model that microgpt reads`,
    );
  }
  let text: string;
  try {
    text = decodeUtf8(bytes, source);
  } catch (error) {
    if (error instanceof MicrogptError)
      throw new MicrogptError('MG_CKPT_JSON', error.message, 'use a file that is whole and unchanged');
    throw error;
  }
  const file = parseJson(text, source, 'MG_CKPT_JSON', 'MG_CKPT_NAME');
  if (file instanceof Map) {
    if (isNestedJson(file)) return decodeNestedJson(file, options, source);
    if (isFlatJson(file)) return decodeFlatJson(file, options, source);
  }
  throw unknown(`${source} is JSON, but not a model`);
}

function unknown(message: string): MicrogptError {
  return new MicrogptError('MG_CKPT_UNKNOWN', message, 'give a model.json, as `microgpt train` writes it');
}
