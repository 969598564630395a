/**
 * microgpt as a library, for Node and the browser. Files are in 'microgpt/node'. Importing it runs nothing.
 */
export { Tape, Value } from './autograd/value.js';
export { ERRORS, type ErrorCode, type ErrorKind, MicrogptError } from './base/errors.js';
export { sha256 } from './base/sha256.js';
export type { WarningCode } from './base/warnings.js';
export {
  type Checkpoint,
  type Decoded,
  type DecodeOptions,
  FORMATS,
  type FormatName,
  type JsonValue,
  type OptimizerState,
  type RunState,
} from './checkpoint/checkpoint.js';
export { decodeModel } from './checkpoint/decode.js';
export { encodeFlatJson } from './checkpoint/flat-json.js';
export { type EncodeOptions, encodeModel, formatForPath, type ModelFile } from './checkpoint/formats.js';
export { encodeNestedJson } from './checkpoint/nested-json.js';
export { decodeSafetensors, encodeSafetensors, type SafetensorsOptions } from './checkpoint/safetensors.js';
export type { Precision } from './checkpoint/safetensors-weights.js';
export { type Batch, type Batches, documentBatches, windowBatches } from './data/batches.js';
export { corpusFromDocuments, corpusFromText } from './data/build.js';
export {
  type Corpus,
  type CorpusFacts,
  type CorpusOptions,
  type EncodedDocument,
  type Format,
  type TextCorpus,
  type TokenStream,
  withinContext,
} from './data/corpus.js';
export { decodeUtf8, documentsFromLines } from './data/documents.js';
export { type Guess, guessFormat } from './data/guess-format.js';
export { fileOrder, keyedOrder, type Order } from './data/order.js';
export type { Encoding } from './data/utf8.js';
export { type Validation, type ValidationOptions, validationBatches } from './data/validation.js';
export {
  type ByteModelOptions,
  type ByteStep,
  type ByteTrainingOptions,
  newByteModel,
  trainBytes,
} from './engine/byte-trainer.js';
export {
  type Chat,
  type ChatOptions,
  type ChatPrompt,
  type ChatPromptOptions,
  chatPrompt,
  createChat,
  type ReplyEvent,
  type Turn,
} from './engine/chat.js';
export { type Choice, choices } from './engine/choices.js';
export { type Completer, type CompleterOptions, type Continuation, createCompleter } from './engine/completer.js';
export type { ChatModel, ReplyOptions } from './engine/conversation.js';
export {
  BACKENDS,
  type BackendName,
  type Decoder,
  type Engine,
  type EngineState,
  type NamedProducts,
  type StartThread,
  type Threads,
} from './engine/engine.js';
export type { Compat, ConstraintOptions, SamplingOptions } from './engine/generate-options.js';
export { type Inspection, type InspectOptions, inspect } from './engine/inspect.js';
export type { Look, Stage, StageName } from './engine/look.js';
export { type TrainingExtras, type TrainingMemory, trainingMemory } from './engine/memory.js';
export type { Model } from './engine/plan.js';
export type { PromptLogprobsOptions, PromptToken, TokenLogprob } from './engine/prompt-logprobs.js';
export type { Likely } from './engine/samples.js';
export {
  type CandidateScore,
  createScorer,
  evaluate,
  type ScoreOptions,
  type Scorer,
  score,
  scoreCandidates,
} from './engine/score.js';
export { createService, type ModelService, type ServiceOptions } from './engine/service.js';
export type { SettingsOptions } from './engine/settings.js';
export { inOrder, type SampleEvent, type StreamOptions, stream } from './engine/stream.js';
export { type GenerateOptions, generate } from './engine/text.js';
export { createTraining, type Training, type TrainingOptions, trainModel } from './engine/training.js';
export type { LeftOut } from './engine/training-data.js';
export type { SampleOptions } from './engine/training-samples.js';
export { encodeOnnx } from './export/onnx.js';
export type { Demands } from './generate/constraints/acceptor.js';
export { type ModelConfig, modelConfig } from './model/config.js';
export { type InitialSpread, type Parameter, type ParameterTable, parameterTable } from './model/parameters.js';
export type { CountedSequence, Evaluation } from './score/evaluate.js';
export { type NoveltyReport, novelty } from './score/novelty.js';
export type { Calibration } from './score/percentiles.js';
export type { NextToken } from './score/surprise.js';
export type { CharacterScore, ScoreDetail, TextScore } from './score/text.js';
export type { ActivationKind, NormKind } from './tensor/backend.js';
export { createByteTokenizer } from './tokenizer/byte.js';
export { charTokenizerFrom, createCharTokenizer, type SpecialPlace } from './tokenizer/char.js';
export { type PromptReading, readPrompt } from './tokenizer/small-letters.js';
export type { RoleTokens, TextStream, Tokenizer } from './tokenizer/tokenizer.js';
export { type TokenizerJson, tokenizerFromJson, tokenizerToJson } from './tokenizer/tokenizer-json.js';
export type { EvalEvent, StepEvent, StoppedEvent, TrainEvent, WarningEvent } from './train/events.js';
export type { AdamSettings } from './train/optimizer.js';
export type { Layout, Ranks, Transport } from './train/ranks.js';
export { RECIPES, type Recipe, type RecipeName } from './train/recipes.js';
export type { Schedule } from './train/schedules.js';
export type {
  DataFacts,
  DataFormat,
  DataSettings,
  Header,
  Overrides,
  RunSettings,
  Settings,
} from './train/settings.js';
