/** What to do when something goes wrong, in the words of the page. Codes without an entry are told in the engine's own words. */

/** The way out in this page, where the engine's own words are about the command line. */
export const remedies: Partial<Record<string, string>> = {
  MG_TRAIN_NONFINITE: 'choose a smaller learning rate under More, and train again',
  MG_DATA_TOO_SMALL: 'give a longer text, or choose another context under More',
  MG_DATA_KIND: 'save it as plain text (UTF-8) first, or choose raw bytes under Read as',
  MG_DATA_UTF8: 'save it as plain text (UTF-8) first, or choose raw bytes under Read as',
  MG_DATA_TABLE: 'correct the row, or choose another column, or another way under Read as',
  MG_DATA_UNKNOWN: 'choose the text that this model was trained on, or train a new model',
  MG_TOKENIZER_VOCAB: 'choose raw bytes under Read as',
  MG_CHAT_MODEL: 'train a model on the text Conversations',
  MG_ENGINE_MEMORY: 'choose a smaller width, context or number of examples under More',
  MG_RESUME_CHANGED: 'choose the text that this run was begun with',
  MG_RESUME_IMPOSSIBLE: 'open a file that was saved with its run, or train a new model',
  MG_CKPT_UNKNOWN: 'choose a file that microgpt saved; where a model has two files, choose both at once',
};

/** What to do about a run that will probably not end well. */
export const warnings: Readonly<Record<string, string>> = {
  MG_TRAIN_SPIKE:
    'Some steps changed the model far more than usual. If the curve jumps, choose a smaller learning rate under More.',
  MG_TRAIN_PLATEAU: 'The loss does not fall any more. Another learning rate under More may help, or another text.',
  MG_TRAIN_OVERFIT:
    'It learns the text by heart: the validation loss rises while the loss falls. Give it more text, or fewer steps.',
  MG_TRAIN_TINY_CORPUS:
    'The text is short for so large a model: it will learn it by heart. Give it more text, or fewer steps.',
  MG_TRAIN_DEAD_UNITS:
    'Nearly all hidden numbers of a layer are 0. Choose a smaller learning rate under More, and train again.',
};
