// Whoever takes options refuses those that it does not know, in one way. Every public function stands in one of two lists here: a new one
// has to be put into either.
import { expect, test } from 'vitest';
import * as browser from '../src/browser/index.js';
import * as library from '../src/index.js';
import { type Checkpoint, MicrogptError } from '../src/index.js';
import * as node from '../src/node/index.js';
import * as server from '../src/server/index.js';
import { talkingModel } from './chat-model.js';
import { goldenText } from './golden.js';

const file = new TextEncoder().encode(goldenText('persistence/model.json'));
const names = library.decodeModel(file, 'persistence/model.json').checkpoint;
const talking: Checkpoint = talkingModel(32);
const documents = ['anna', 'bella', 'carla'];
const nowhere = '/nowhere/at/all';

/** Closes what was opened. */
function closed<T extends { close(): unknown }, R>(opened: T, use: (opened: T) => R): R {
  try {
    return use(opened);
  } finally {
    opened.close();
  }
}

/** Calls with these options on top of what is needed; anything else that goes wrong is no MG_OPTION_VALUE. */
const CALLS: Record<string, (options: object) => unknown> = {
  chatPrompt: (o) => library.chatPrompt(talking.tokenizer, [], 16, o),
  choices: (o) => library.choices(names, '', ['anna'], o),
  corpusFromDocuments: (o) => library.corpusFromDocuments(documents, o),
  corpusFromText: (o) => library.corpusFromText('anna\nbella', { format: 'lines', ...o }),
  createChat: (o) => closed(library.createChat(talking, o), () => 0),
  'createChat.say': (o) => closed(library.createChat(talking), (chat) => chat.say('hi', o).next()),
  'createChat.set': (o) => closed(library.createChat(talking), (chat) => chat.set(o)),
  createCompleter: (o) => closed(library.createCompleter(names, o), () => 0),
  createScorer: (o) => closed(library.createScorer(names, o), () => 0),
  'createScorer.calibrate': (o) => closed(library.createScorer(names), (scorer) => scorer.calibrate(documents, o)),
  'createScorer.score': (o) => closed(library.createScorer(names), (scorer) => scorer.score(documents, o)),
  createService: (o) => closed(library.createService(names, o), () => 0),
  'createService.promptLogprobs': (o) => closed(library.createService(names), (s) => s.promptLogprobs('anna', o)),
  'createService.reply': (o) => closed(library.createService(talking), (service) => service.reply([], o)),
  'createService.stream': (o) => closed(library.createService(names), (service) => service.stream(o)),
  createTraining: (o) => closed(library.createTraining({ documents, ...o }), () => 0),
  'createTraining.checkpoint': (o) => closed(library.createTraining({ documents }), (t) => t.checkpoint(o)),
  'createTraining.events': (o) => closed(library.createTraining({ documents }), (t) => t.events(o)),
  'createTraining.peek': (o) => closed(library.createTraining({ documents }), (t) => t.peek(1, o)),
  'createTraining.samples': (o) => closed(library.createTraining({ documents }), (t) => t.samples(1, o)),
  decodeModel: (o) => library.decodeModel(file, 'model.json', o),
  encodeModel: (o) => library.encodeModel(names, 'safetensors', 'a', o),
  encodeSafetensors: (o) => library.encodeSafetensors(names, o),
  evaluate: (o) => library.evaluate(names, documents, o),
  generate: (o) => library.generate(names, o),
  inspect: (o) => library.inspect(names, 'a', o),
  newByteModel: (o) => library.newByteModel(o),
  novelty: (o) => library.novelty(['anna'], documents, o),
  score: (o) => library.score(names, 'anna', o),
  scoreCandidates: (o) => library.scoreCandidates(names, documents, o),
  stream: (o) => library.stream(names, { maxTokens: 1, ...o }).next(),
  trainBytes: (o) =>
    library.trainBytes(library.newByteModel({ width: 8 }), { data: new Uint8Array(2000), steps: 0, ...o }).next(),
  trainModel: (o) => library.trainModel({ documents, steps: 1, ...o }),
  trainingMemory: (o) => library.trainingMemory('auto', names.config, 1, 8, o),
  validationBatches: (o) =>
    library.validationBatches(library.corpusFromDocuments(documents).train, names.tokenizer, {
      batchSize: 1,
      blockSize: 8,
      ...o,
    }),
  'node.createWorkerCompute': (o) => node.createWorkerCompute({ names }, o).close(),
  'node.fetchCorpus': (o) => node.fetchCorpus({ ...node.DOWNLOADS[0], url: 'file:' }, o),
  'node.findModel': (o) => node.findModel('names', o),
  'node.loadModel': (o) => node.loadModel(node.BUNDLED_MODELS[0].path, o),
  'node.openBlas': (o) => node.openBlas({ threads: 1, libraries: [], ...o }),
  'node.openCorpus': (o) => node.openCorpus(nowhere, { format: 'lines', ...o }),
  'node.openRun': (o) => node.openRun(nowhere, { resume: true, ...o }),
  'node.saveModelAs': (o) => node.saveModelAs(`${nowhere}.json`, names, o),
  'server.createLocalCompute': (o) => server.createLocalCompute(new Map([['names', names]]), o).close(),
  'server.createServer': (o) => server.createServer({ models: { names }, ...o }).close(),
  'server.createServer limits': (o) => server.createServer({ models: { names }, limits: o }).close(),
  'server.createServer connections': (o) => server.createServer({ models: { names }, connections: o }).close(),
  'server.createServer rules': (o) => server.createServer({ models: { names }, rules: [o] }).close(),
  'server.createServer.listen': async (o) => {
    const one = server.createServer({ models: { names } });
    await one.listen(0, o).finally(one.close);
  },
};

const WITHOUT = [
  ...['charTokenizerFrom', 'createByteTokenizer', 'createCharTokenizer', 'decodeSafetensors', 'decodeUtf8'],
  ...['documentBatches', 'documentsFromLines', 'encodeFlatJson', 'encodeNestedJson', 'encodeOnnx', 'fileOrder'],
  ...['formatForPath', 'guessFormat', 'inOrder', 'keyedOrder', 'parameterTable', 'readPrompt', 'sha256'],
  ...['tokenizerFromJson', 'tokenizerToJson', 'windowBatches', 'withinContext'],
  ...['MicrogptError', 'Tape', 'Value'], // classes
  'modelConfig', // which refuses unknown names as MG_CONFIG_INVALID
  ...['node.cacheFolder', 'node.findNewestModel', 'node.loadScenario', 'node.loadScenarioFile', 'node.nodeThreads'],
  ...['node.playgroundFiles', 'node.playgroundFolder', 'node.readDocuments', 'node.saveModel', 'node.scenarioNames'],
  ...['browser.browserThreads', 'browser.whyNoThreads'],
];

/** The code that a call is refused with, 'none', or the name of another error. */
async function outcomeOf(call: () => unknown): Promise<{ readonly code: string; readonly text: string }> {
  try {
    await call();
    return { code: 'none', text: '' };
  } catch (error) {
    if (error instanceof MicrogptError) return { code: error.code, text: `${error.message} → ${error.remedy}` };
    throw error;
  }
}

test('the two lists hold every public function', () => {
  const functions = Object.entries({ '': library, 'node.': node, 'server.': server, 'browser.': browser }).flatMap(
    ([prefix, module]) =>
      Object.entries(module).flatMap(([name, value]) => (typeof value === 'function' ? [prefix + name] : [])),
  );
  const listed = [...Object.keys(CALLS).filter((name) => !/\w\.\w+\.|^create\w+\.| /.test(name)), ...WITHOUT];
  expect(listed.toSorted()).toEqual(functions.toSorted());
});

test.each(Object.keys(CALLS))(
  '%s refuses an option that it does not have, by name, and says which it has',
  async (name) => {
    const { code, text } = await outcomeOf(() => CALLS[name]({ tempreature: 1 }));
    expect([code, text]).toEqual([
      'MG_OPTION_VALUE',
      expect.stringMatching(/ has no option "tempreature" → choose from \w/),
    ]);
    // Without it, the same call is not refused for its options.
    expect(await outcomeOf(() => CALLS[name]({}))).not.toMatchObject({ code: 'MG_OPTION_VALUE' });
  },
);

test('a number makes no threads: the refusal says what does, wherever threads are taken', async () => {
  for (const threads of [2, true, {}, null]) {
    for (const name of [
      'generate',
      'stream',
      'choices',
      'createService',
      'createChat',
      'createTraining',
      'trainBytes',
    ]) {
      const { code, text } = await outcomeOf(() => CALLS[name]({ threads }));
      expect([name, code, text]).toEqual([name, 'MG_OPTION_VALUE', expect.stringContaining("of 'microgpt/node'")]);
    }
  }
  const { text } = await outcomeOf(() => CALLS['generate']({ threads: 2 }));
  expect(text).toContain(
    "threads is 2, expected those of the host: nodeThreads(2) of 'microgpt/node', or await browserThreads(2)",
  );
  const alone = library.generate(names, { samples: 3 });
  expect(library.generate(names, { samples: 3, threads: node.nodeThreads(2) })).toEqual(alone);
  expect(library.generate(names, { samples: 3, threads: undefined })).toEqual(alone);
  for (const count of [0, 1.5, Number.NaN]) {
    expect((await outcomeOf(() => node.nodeThreads(count))).code).toBe('MG_OPTION_VALUE');
    expect((await outcomeOf(() => browser.browserThreads(count))).code).toBe('MG_OPTION_VALUE');
  }
});

test('the path of a model is none: every call that takes one says so', async () => {
  const path = 'models/names' as unknown as Checkpoint;
  const calls = [
    () => library.createChat(path),
    () => library.createCompleter(path),
    () => library.createScorer(path),
    () => library.createService(path),
    () => library.choices(path, '', ['a']),
    () => library.evaluate(path, ['a']),
    () => library.generate(path),
    () => library.inspect(path, 'a'),
    () => library.score(path, 'a'),
    () => library.stream(path).next(),
    () => library.trainBytes(path, { data: new Uint8Array(2000) }).next(),
    () => node.createWorkerCompute({ path }),
    () => server.createLocalCompute(new Map([['path', path]])),
    () => server.createServer({ models: { path } }),
  ];
  for (const call of calls) {
    expect([String(call), await outcomeOf(call)]).toEqual([
      String(call),
      {
        code: 'MG_OPTION_VALUE',
        text: expect.stringContaining('the model is "models/names", expected what trainModel'),
      },
    ]);
  }
});

test('what a server is given is checked before it serves', async () => {
  const models = { names };
  const wrong: [object, string][] = [
    [{ rules: [{ status: 418 }] }, 'rules[0]: status is 418'],
    [{ rules: [{}, { delay: -1 }] }, 'rules[1]: delay is -1'],
    [{ rules: { status: 500 } }, 'rules is'],
    [{ keys: 'sk-1' }, 'keys is "sk-1", expected a list of texts'],
    [{ limits: { active: '3' } }, 'active is "3"'],
    [{ models: {} }, 'no models'],
  ];
  for (const [options, said] of wrong) {
    const { code, text } = await outcomeOf(() => server.createServer({ models, ...options }));
    expect([code, text]).toEqual(['MG_OPTION_VALUE', expect.stringContaining(said)]);
  }
});

test('what has the wrong kind is refused by name, not by the line of code that trips over it', async () => {
  const wrong: [string, object, string][] = [
    ['generate', { matches: /a+/ }, 'matches is /a+/, expected a text'],
    ['generate', { startsWith: 3 }, 'startsWith is 3'],
    ['generate', { stop: 3 }, 'stop is 3, expected a list of texts'],
    ['generate', { exclude: 'anna' }, 'exclude is "anna", expected a list of texts'],
    ['generate', { bias: { 1: 2 } }, 'bias is object, expected a Map'],
    ['stream', { signal: new AbortController() }, 'expected an AbortSignal'],
    ['createTraining.events', { signal: true }, 'signal is true, expected an AbortSignal'],
    ['trainBytes', { signal: 1 }, 'expected an AbortSignal'],
    ['createTraining', { settings: { schedule: 'x' } }, 'schedule is "x", expected one of constant, linear, cosine'],
    ['createChat', { compat: 'python' }, 'compat is "python", expected one of rust'],
    ['createService', { places: 0 }, 'places is 0'],
    ['encodeModel', { precision: 'int4' }, 'precision is "int4"'],
    ['encodeSafetensors', { precision: 'int4' }, 'precision is "int4", expected one of exact, half, int8'],
  ];
  for (const [name, options, said] of wrong) {
    const { code, text } = await outcomeOf(() => CALLS[name]({ ...options }));
    expect([name, code, text]).toEqual([name, expect.stringMatching(/^MG_/), expect.stringContaining(said)]);
  }
  expect((await outcomeOf(() => CALLS['createTraining']({ backend: 'x' }))).code).toBe('MG_TRAIN_BACKEND');

  const any = (value: unknown) => value as never;
  const scorer = library.createScorer(names);
  const service = library.createService(talking);
  const calls: [() => unknown, string][] = [
    [() => scorer.predict([]), 'the context is "0 tokens"'],
    [() => scorer.predict(Array.from({ length: 99 }, () => 1)), 'the context is "99 tokens", expected 1 to'],
    [() => scorer.predict([999]), 'a token of the context is 999'],
    [() => scorer.score(any('anna')), 'texts is "anna", expected a list of texts'],
    [() => service.reply(any('hi')), 'what was said is "hi"'],
    [() => service.reply([any({ role: 'system', content: 'hi' })]), 'the role of turn 0 is "system"'],
    [() => service.reply([any({ role: 'user' })]), 'the content of turn 0 is undefined'],
    [() => library.corpusFromText(any(3), { format: 'lines' }), 'the text is 3'],
    [() => library.corpusFromDocuments(any('anna')), 'documents is "anna"'],
    [() => library.novelty(any('anna'), documents), 'samples is "anna"'],
    [() => library.encodeModel(names, any('json'), 'a'), 'format is "json", expected one of'],
    [() => node.loadModel(any({ path: 'a' })), 'the path of a model is'],
    [() => node.saveModel('a.json', any({})), 'the model is'],
    [() => node.openRun(nowhere, {}), 'expected either create or resume'],
  ];
  for (const [call, said] of calls) {
    expect(await outcomeOf(call)).toEqual({ code: 'MG_OPTION_VALUE', text: expect.stringContaining(said) });
  }
  scorer.close();
  service.close();
});

test('a service or a chat that is closed says so, instead of an answer without a word', async () => {
  const service = library.createService(names);
  const chat = library.createChat(talking);
  const running = service.stream({ samples: 2 });
  expect((await running.next()).done).toBe(false);
  service.close();
  chat.close();
  expect((await running.next()).done).toBe(true); // what was under way just ends
  for (const call of [() => service.stream(), () => service.promptLogprobs('a'), () => chat.say('hi').next()]) {
    expect(await outcomeOf(call)).toEqual({ code: 'MG_OPTION_VALUE', text: expect.stringContaining('closed already') });
  }
  expect(chat.turns).toEqual([]);
});
