/**
 * Every way in which microgpt refuses: a stable code, the exit code of the command line, and what the code stands for.
 * The sentence with the numbers is written where the error is thrown; the way out goes with it.
 * Invariant: an error that is not a MicrogptError is our bug.
 */

/** Exit codes of the command line. */
export const EXIT = {
  ok: 0,
  bug: 1,
  usage: 2,
  data: 3,
  disk: 4,
  diverged: 5,
  sighup: 129,
  sigint: 130,
  sigterm: 143,
} as const;

/** What a code stands for. */
export interface ErrorKind {
  readonly exit: number;
  readonly about: string;
}

/** All codes: what each stands for, and the exit code of the command line. */
export const ERRORS = {
  MG_CLI_USAGE: { exit: EXIT.usage, about: 'A flag, a command or an argument that does not exist or is missing.' },
  MG_CLI_VALUE: { exit: EXIT.usage, about: 'A flag has a value outside its range or of the wrong kind.' },
  MG_CLI_SCENARIO: {
    exit: EXIT.usage,
    about: 'There is no scenario of that name, or a scenario file says something that is not known.',
  },
  MG_OPTION_VALUE: { exit: EXIT.usage, about: 'An option given to the library is out of range or of the wrong kind.' },
  MG_CONFIG_INVALID: { exit: EXIT.usage, about: 'Model sizes that do not fit together or are out of range.' },
  MG_TRAIN_BACKEND: { exit: EXIT.usage, about: 'The chosen backend cannot do what was asked.' },
  MG_ENGINE_MEMORY: { exit: EXIT.usage, about: 'Training at these sizes would take more memory than the engine has.' },
  MG_TRAIN_NONFINITE: {
    exit: EXIT.diverged,
    about: 'The loss or a gradient became NaN or infinite; training stopped, and the last save is intact.',
  },
  MG_RUN_INVALID: { exit: EXIT.data, about: 'A folder is not that of a run, or the record of the run is damaged.' },
  MG_RESUME_IMPOSSIBLE: {
    exit: EXIT.usage,
    about: 'A file holds a model, but not the state of a run that could go on.',
  },
  MG_RESUME_CHANGED: {
    exit: EXIT.data,
    about: 'A run cannot go on, because its text, its tokenizer or its settings have changed.',
  },
  MG_MPI_UNAVAILABLE: {
    exit: EXIT.usage,
    about:
      'A launcher (mpirun) started several processes, but they cannot reach one another: koffi or Open MPI is missing.',
  },
  MG_MPI_DIFFERENT: {
    exit: EXIT.data,
    about: 'Processes that should train one model together have different texts, settings or versions.',
  },
  MG_MPI_LOST: {
    exit: EXIT.sigterm,
    about: 'One of several processes that train one model was killed or ended, and took the others with it.',
  },
  MG_SWEEP_INVALID: {
    exit: EXIT.usage,
    about: 'The description of a sweep says something that is not known or not possible.',
  },
  MG_BENCH_CHECK: {
    exit: EXIT.bug,
    about: 'A backend computes another loss than the reference backend, so its speed was not measured.',
  },
  MG_DATA_EMPTY: { exit: EXIT.data, about: 'The data holds no documents.' },
  MG_DATA_TOO_SMALL: { exit: EXIT.data, about: 'The data holds too little text to learn from.' },
  MG_DATA_UTF8: { exit: EXIT.data, about: 'The data is not valid UTF-8 text.' },
  MG_DATA_KIND: {
    exit: EXIT.data,
    about: 'A file is of another kind (packed, a document, UTF-16 …) than text in UTF-8.',
  },
  MG_DATA_CHANGED: { exit: EXIT.data, about: 'A file of training data changed while it was used.' },
  MG_DATA_UNKNOWN: { exit: EXIT.data, about: 'The data has a character that the tokenizer does not know.' },
  MG_DATA_TABLE: { exit: EXIT.data, about: 'A CSV or TSV file is malformed or has no such column.' },
  MG_DATA_SPILL: { exit: EXIT.disk, about: 'There is no room on disk for the token ids of a large text.' },
  MG_CHAT_LINE: { exit: EXIT.data, about: 'A line of chat data is no conversation.' },
  MG_TOKENIZER_VOCAB: { exit: EXIT.data, about: 'The data has more distinct characters than a char tokenizer holds.' },
  MG_TOKENIZER_INVALID: { exit: EXIT.data, about: 'A list of characters that cannot be a tokenizer.' },
  MG_GEN_NONFINITE: {
    exit: EXIT.data,
    about: 'The model computes numbers that are not finite, so no next token can be drawn.',
  },
  MG_GEN_PATTERN: {
    exit: EXIT.usage,
    about: 'A pattern for samples cannot be read, uses what is not supported, or is too large.',
  },
  MG_GEN_IMPOSSIBLE: {
    exit: EXIT.data,
    about: 'No text, or not as many as asked for, can meet all that is demanded of samples.',
  },
  MG_CHAT_MODEL: { exit: EXIT.data, about: 'The model was not trained on conversations, so it cannot chat.' },
  MG_CKPT_UNKNOWN: { exit: EXIT.data, about: 'The file is not a model in any format that microgpt reads.' },
  MG_CKPT_JSON: {
    exit: EXIT.data,
    about: 'A model file is not well-formed JSON, or uses what JSON models must not use.',
  },
  MG_CKPT_TRUNCATED: { exit: EXIT.data, about: 'A model file ends too early, or goes on after its end.' },
  MG_CKPT_HEADER_SIZE: { exit: EXIT.data, about: 'The header of a model file claims an impossible size.' },
  MG_CKPT_NAME: { exit: EXIT.data, about: 'A name in a model file is not allowed.' },
  MG_CKPT_DTYPE: { exit: EXIT.data, about: 'A tensor has a type of number that microgpt does not read there.' },
  MG_CKPT_HASH: { exit: EXIT.data, about: 'A model file was damaged or changed: its checksum differs.' },
  MG_CKPT_VERSION: { exit: EXIT.data, about: 'A model file was written by a newer microgpt, or names no version.' },
  MG_CKPT_CONFIG: { exit: EXIT.data, about: 'A model file has an impossible or incomplete configuration.' },
  MG_CKPT_TOKENIZER: { exit: EXIT.data, about: "A model file's tokenizer does not fit its weights." },
  MG_CKPT_SHAPE: {
    exit: EXIT.data,
    about: 'A weight is missing, not expected, or has another shape than the configuration says.',
  },
  MG_CKPT_NONFINITE: { exit: EXIT.data, about: 'A model file has weights that are NaN, infinite or not numbers.' },
  MG_CKPT_FORMAT: { exit: EXIT.usage, about: 'The chosen file format cannot hold this model.' },
  MG_FILE_MISSING: { exit: EXIT.data, about: 'A file that was asked for does not exist.' },
  MG_FILE_KIND: { exit: EXIT.data, about: 'A path is a folder, a device or a pipe where a regular file is needed.' },
  MG_FILE_READ: { exit: EXIT.disk, about: 'A file exists but cannot be read.' },
  MG_FILE_SIZE: { exit: EXIT.data, about: 'A file is larger than its kind may be.' },
  MG_SAVE_UNWRITABLE: {
    exit: EXIT.disk,
    about: 'The place for the result cannot be written; found before training starts.',
  },
  MG_SAVE_DISK_FULL: {
    exit: EXIT.disk,
    about: 'There is too little room for what is to be saved; whatever was there before is intact.',
  },
  MG_SAVE_FAILED: { exit: EXIT.disk, about: 'Writing the result failed; whatever was there before is intact.' },
  MG_RUN_LOCKED: { exit: EXIT.disk, about: 'Another process is training in this run folder.' },
  MG_RUN_EXISTS: { exit: EXIT.usage, about: 'The folder holds another run, which a new one would replace.' },
  MG_RUN_DAMAGED: { exit: EXIT.data, about: 'A run folder has no readable run.json.' },
  MG_RUN_NO_CHECKPOINT: { exit: EXIT.data, about: 'A run has no checkpoint that could be continued.' },
  MG_CKPT_SKIPPED: {
    exit: EXIT.data,
    about: 'A warning: the newest checkpoint of a run is damaged, so an older one is continued.',
  },
  MG_DOWNLOAD_FAILED: { exit: EXIT.disk, about: 'A download did not arrive: no network, or the server refused.' },
  MG_DOWNLOAD_HASH: { exit: EXIT.data, about: 'A downloaded file is not the one expected; it was thrown away.' },
  MG_SERVE_OPEN: { exit: EXIT.usage, about: 'The server would be open to others than this machine, without a key.' },
  MG_SERVE_PORT_BUSY: { exit: EXIT.disk, about: 'Another program listens at the address that was asked for.' },
  MG_SERVE_ADDRESS: { exit: EXIT.disk, about: 'The server cannot listen at the address that was asked for.' },
  MG_SERVE_LOST: {
    exit: EXIT.bug,
    about: 'The thread that computes for the server ended unexpectedly; another one takes its place.',
  },
} as const satisfies Record<string, ErrorKind>;

/** A code of an error: stable, for programs. */
export type ErrorCode = keyof typeof ERRORS;

/** Every refusal of the library: `code` for programs, `message` says what was found and where, `remedy` the way out. */
export class MicrogptError extends Error {
  readonly code: ErrorCode;
  /** What to do about it. */
  readonly remedy: string;

  /** `message` says what is wrong, with numbers and place; `remedy` says the way out. */
  constructor(code: ErrorCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'MicrogptError';
    this.code = code;
    this.remedy = remedy;
  }

  get exitCode(): number {
    return ERRORS[this.code].exit;
  }
}
