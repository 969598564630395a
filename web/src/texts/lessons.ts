/** The lessons: what to read, what to do, where. What checks them is lessons/checks.ts. */
export const lessons = {
  loss: {
    title: 'What is loss?',
    text: [
      'At every place the model gives each token a probability. If it gave 1/27 to the one that really came, its surprise was −ln(1/27) = 3.30. The loss is the mean of these surprises.',
      'Whoever guesses blindly among V tokens has the loss ln V, the dashed line of the chart. Everything below that line was learned from the text.',
    ],
    task: 'Train a model until its loss is at least half a unit below the dashed line.',
    go: 'train',
    passed: (loss: string, line: string) =>
      `The mean loss of the last steps is ${loss}, the line is at ${line}: learned.`,
    failed: (loss: string, line: string) =>
      `The mean loss of the last steps is ${loss}, the line is at ${line}. Train on.`,
    missing: 'There is no loss yet: press Start under Train.',
  },
  mask: {
    title: 'Where is the causal mask?',
    text: [
      'In the maps of attention, everything above the diagonal is empty. That is the mask: a token may look back, and never ahead.',
      'Without it the model could copy the next token instead of guessing it. The loss would fall to nothing, and the model would have learned nothing.',
    ],
    task: 'Under See, type a text of at least four characters, and look at its attention.',
    go: 'see/attention',
    passed: (above: string, rows: string, worst: string) =>
      `${above} numbers lie above the diagonals of your model's maps, and every one is exactly 0. Each of the ${rows} rows adds up to 1 (within ${worst}).`,
    failed: 'The text is too short: type at least four characters that the model knows.',
    missing: 'There is no model yet: train one first.',
  },
  junk: {
    title: 'Why junk first?',
    text: [
      'Before training, all weights are random and small. So all logits are nearly equal, every token is about as likely as any other, and what comes out is noise.',
      'First the model learns which tokens are frequent, then which follow which, then longer patterns. You can watch this in its samples under Train, from bottom to top.',
    ],
    task: 'Train a model to the end. Then let it judge its own first and last samples.',
    go: 'train',
    passed: (first: string, last: string) =>
      `Your model finds its first samples surprising (${first} bits per character) and its last ones less so (${last}).`,
    failed: (first: string, last: string) =>
      `The first samples have ${first} bits per character, the last ones ${last}: train on.`,
    missing: 'There are no samples from before training and after it: press Reset, then Start, under Train.',
  },
  temperature: {
    title: 'What does temperature do?',
    text: [
      'The model only gives probabilities. Temperature bends them before the dice are thrown: near 0 the likeliest token always wins, above 1 the differences shrink.',
      'So a low temperature gives the same few safe texts again and again, and a high one gives variety, with more nonsense in it.',
    ],
    task: 'Guess first: of 20 samples at temperature 0.1, and 20 at 1.5, how many differ? Then check.',
    go: 'use/generate',
    passed: (cold: string, hot: string) =>
      `At 0.1 your model wrote ${cold} different texts of 20, at 1.5 it wrote ${hot}.`,
    failed: (cold: string, hot: string) =>
      `At 0.1 there were ${cold} different texts of 20, at 1.5 there were ${hot}: train the model first.`,
    missing: 'There is no model yet: train one first.',
  },
} as const;

export type Lesson = keyof typeof lessons;
