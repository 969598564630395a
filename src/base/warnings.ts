/**
 * Every way in which microgpt says that something will probably not end well: a stable code and what it stands for.
 * A warning is not an error: the run goes on. The sentence with the numbers is written where the warning is made, with what to do about it.
 */
export const WARNINGS = {
  MG_TRAIN_SPIKE:
    'Gradients or losses of several steps in a row are far above those before; at most once in 100 steps.',
  MG_TRAIN_PLATEAU:
    'The loss does not fall: no gradients, a learning rate of 0, or no progress since the start; once in a run.',
  MG_TRAIN_OVERFIT: 'The validation loss rises while the training loss falls; once in a run.',
  MG_TRAIN_TINY_CORPUS: 'The corpus is so small for the model that it will be learned by heart; before the first step.',
  MG_TRAIN_DEAD_UNITS: 'Nearly all hidden units of a layer give 0 whatever comes in; once in a run.',
} as const satisfies Record<string, string>;

/** A code of a warning: stable, for programs. */
export type WarningCode = keyof typeof WARNINGS;
