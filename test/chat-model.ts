// A small model that has learned a few conversations by heart, and one that answers at random.

import { createPythonRandom } from '../src/base/python-random.js';
import type { Checkpoint } from '../src/checkpoint/checkpoint.js';
import { collate } from '../src/data/batches.js';
import { turnTokens } from '../src/engine/conversation.js';
import { createEngine } from '../src/engine/create-engine.js';
import { modelConfig } from '../src/model/config.js';
import { initialParameters, parameterTable } from '../src/model/parameters.js';
import { charTokenizerFrom } from '../src/tokenizer/char.js';
import type { Tokenizer } from '../src/tokenizer/tokenizer.js';
import { plainStep } from '../src/train/learner.js';
import { adamHyper } from '../src/train/optimizer.js';
import { RECIPES } from '../src/train/recipes.js';

/** What is said, and the answer; then once more. */
export const LEARNED = [
  ['hi', 'hello'],
  ['who?', 'a cat'],
  ['bye', 'so long'],
] as const;

export function randomChatModel(tokenizer: Tokenizer, blockSize: number, seed = 4, std = 0.3): Checkpoint {
  const config = modelConfig({ nEmbd: 16, nHead: 2, nLayer: 1, blockSize, vocabSize: tokenizer.size });
  const random = createPythonRandom(seed);
  const parameters = initialParameters(parameterTable(config), { std, residualStd: std }, random.gauss);
  return { config, tokenizer, parameters };
}

/** Knows every order of the conversations above, two turns of the user long. */
export function trainedChatModel(blockSize = 48): Checkpoint {
  const tokenizer = charTokenizerFrom(LEARNED.flat(), 'chat');
  const model = randomChatModel(tokenizer, blockSize, 4, 0.08);
  const { bos, roles } = tokenizer;
  const pair = ([said, answer]: readonly [string, string]) => [
    ...turnTokens(tokenizer, roles!, { role: 'user', content: said }),
    ...turnTokens(tokenizer, roles!, { role: 'assistant', content: answer }),
  ];
  const conversations = LEARNED.flatMap((a) =>
    LEARNED.map((b) => Int32Array.from([bos!, ...pair(a), ...pair(b), bos!])),
  );
  const engine = createEngine('wasm', model.config, model.parameters);
  const batch = collate(conversations, blockSize);
  for (let step = 0; step < 300; step++)
    engine.trainStep([batch], plainStep(adamHyper(RECIPES.canonical.adam, 0.01, step)));
  const parameters = engine.parameters();
  engine.close();
  return { ...model, parameters };
}

/** Talks at random and never comes to the end of a reply, only of the context. */
export function talkingModel(blockSize: number): Checkpoint {
  const tokenizer = charTokenizerFrom(['abcdefghij klmnopqrstuvwxyz'], 'chat');
  const config = modelConfig({ nEmbd: 16, nHead: 2, nLayer: 1, blockSize, vocabSize: tokenizer.size, bias: true });
  const table = parameterTable(config);
  const spread = { std: 0.05, residualStd: 0.05 };
  const parameters = initialParameters(table, spread, createPythonRandom(4).gauss);
  parameters[table.byName.get('lm_head_bias')!.offset + tokenizer.roles!.end] = -100;
  return { config, tokenizer, parameters };
}
