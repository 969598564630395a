/** What the words of the page mean, in two sentences each, and what the tensors of a model are for. */
export const glossary = {
  loss: {
    word: 'Loss',
    text: 'How surprised the model was by the token that really came next: −ln of the probability it gave to it, on average. Training makes this number small.',
  },
  validation: {
    word: 'Validation loss',
    text: 'The loss on text that the model never learns from. When it rises while the loss falls, the model learns its text by heart.',
  },
  guessing: {
    word: 'Guessing (ln V)',
    text: 'Whoever knows nothing gives each of the V tokens the same probability 1/V, and has the loss ln V. A new model begins near this line, and everything below it has been learned.',
  },
  token: {
    word: 'Token',
    text: 'The piece of text that the model reads and writes at a time: here one character, or one byte. Inside the model a token is only a number.',
  },
  boundary: {
    word: 'Begin and end',
    text: 'A special token that stands before and after every text: when the model draws it, the text is over. Models that chat have others, for who speaks and for where a turn ends.',
  },
  seed: {
    word: 'Seed',
    text: 'The number from which all chance is made. The same seed with the same settings gives the same weights and the same text, to the last bit.',
  },
  step: {
    word: 'Step',
    text: 'The model reads a few examples, finds out how each weight would make the loss smaller, and changes all weights a little. Then the next step begins.',
  },
  parameter: {
    word: 'Parameters',
    text: 'The numbers that the model consists of, also called weights. They begin at random, and training changes nothing else.',
  },
  tensor: {
    word: 'Tensor',
    text: 'A table of numbers with a name; [27, 32] means 27 rows of 32 numbers. All parameters of the model stand in a few such tables.',
  },
  deviation: {
    word: 'Standard deviation',
    text: 'How far numbers usually lie from their mean. Where it grows, the numbers have moved apart.',
  },
  gradient: {
    word: 'Gradient',
    text: 'For each weight: how fast the loss would grow if this weight grew. Training moves every weight a little against its gradient.',
  },
  learningRate: {
    word: 'Learning rate',
    text: 'How far the weights move in one step. Too small, and learning takes for ever; too large, and it falls apart.',
  },
  dropout: {
    word: 'Dropout',
    text: 'In training a share of the numbers inside is set to zero at random. The model cannot rely on any one of them, and learns less by heart.',
  },
  embedding: {
    word: 'Embedding',
    text: 'Each token has a list of numbers of its own, and so has each place in the text. Their sum is what the model begins with.',
  },
  norm: {
    word: 'Norm',
    text: 'Scales the numbers of a token so that they are neither too large nor too small on average. It keeps the rest of the calculation calm.',
  },
  attention: {
    word: 'Attention',
    text: 'Each token asks all tokens before it, and mixes what they offer by how well it fits the question. It is the only place where tokens learn of each other.',
  },
  head: {
    word: 'Head',
    text: 'One of several attentions side by side, each with its own question. One may look at the last token, another at the first.',
  },
  mask: {
    word: 'Causal mask',
    text: 'A token may look at itself and at those before it, never at those that follow. Otherwise it could copy the answer instead of guessing it.',
  },
  qkv: {
    word: 'Queries, keys, values',
    text: 'Three lists made from each token: what it asks for, what it is found by, and what it gives away. Attention compares queries with keys and mixes values.',
  },
  stream: {
    word: 'Stream',
    text: 'The numbers of a token that run through all layers. Each layer adds something to them and takes nothing away.',
  },
  mlp: {
    word: 'MLP',
    text: 'A small network that thinks about each token on its own: widen to four times the numbers, bend, narrow again. Most weights of the model are here.',
  },
  logits: {
    word: 'Logits',
    text: 'One number for each token that could come next; the larger, the likelier. The softmax turns them into probabilities.',
  },
  probability: {
    word: 'Probability',
    text: 'How likely the model finds a token, from 0 to 100 %. All tokens together make 100 %.',
  },
  temperature: {
    word: 'Temperature',
    text: 'Divides the logits before they become probabilities. Near 0 the likeliest token always wins, above 1 unlikely ones get their chance.',
  },
  topK: {
    word: 'Top k',
    text: 'Only the k likeliest tokens may be drawn. It cuts off the long tail of bad ideas.',
  },
  topP: {
    word: 'Top p',
    text: 'Only the likeliest tokens that together reach this probability may be drawn. Where the model is sure, few remain; where it is not, many.',
  },
  surprise: {
    word: 'Surprise',
    text: 'How unlikely the model found what really came, in bits: one bit for a coin toss, three for one of eight. A text that is like the training text has few.',
  },
  hash: {
    word: 'Hash of the weights',
    text: 'A short fingerprint of all weights. The same fingerprint in the page and in a terminal means the same model, to the last bit.',
  },
  context: {
    word: 'Context',
    text: 'How many tokens the model can look back at. What lies before is forgotten.',
  },
} as const;

export type Term = keyof typeof glossary;

/** What the weights of each tensor are for, by its name. */
export const tensors: Readonly<Record<string, string>> = {
  wte: 'The embedding of each token: one row of numbers for each. Tokens that are used alike come to have rows alike.',
  wpe: 'The embedding of each place in the text: one row for the first token, one for the second, and so on.',
  lm_head:
    'One row for each token that could come next. Compared with what the layers made of the text, it gives the logit.',
  attn_wq: 'Makes queries: what each token asks for. Each head has rows of its own.',
  attn_wk: 'Makes keys: what each token is found by. Queries are compared with them.',
  attn_wv: 'Makes values: what each token gives to those that look at it. Attention mixes them.',
  attn_wo: 'Brings together what all heads found. The result is added to the stream.',
  mlp_fc1: 'The first half of the MLP: one row for each hidden number. Each looks for a pattern of its own.',
  mlp_fc2: 'The second half of the MLP: what each hidden number adds to the stream when it is above 0.',
  bias: 'Numbers that are added after a product. They begin at 0.',
};
