// The same model on TensorFlow.js with its wasm backend (SIMD; one thread, as it runs in Node). Our own port, not TensorFlow's: eager ops,
// tf.variableGrads and tf.train.adam as its guides use them. Embeddings are products with one-hot rows, because the wasm backend has no
// kernel for the gradient of tf.gather. Its Adam adds epsilon as ours does, after the bias correction.
import { createRequire } from 'node:module';
import { ADAM, matrices } from './sizes.mjs';

const require = createRequire(import.meta.url);

export async function open(job) {
  const tf = require('@tensorflow/tfjs');
  require('@tensorflow/tfjs-backend-wasm');
  if (!(await tf.setBackend('wasm'))) throw new Error('its wasm backend did not start');
  await tf.ready();
  const { config, B, batch } = job;
  const { nEmbd: C, nHead: H, nLayer, blockSize: T, vocabSize: V } = config;
  const D = C / H;
  const w = Object.fromEntries(
    Object.entries(matrices(job)).map(([name, [shape, numbers]]) => [name, tf.variable(tf.tensor(numbers, shape))]),
  );
  const tokens = tf.oneHot(tf.tensor1d(batch.tokens, 'int32'), V).toFloat();
  const targets = tf.oneHot(tf.tensor1d(batch.targets, 'int32'), V).toFloat();
  const mask = tf.tidy(() => {
    const place = tf.range(0, T);
    return tf.sub(place.expandDims(0), place.expandDims(1)).greater(0).toFloat().mul(-1e9); // [T,T]
  });
  // Products of transposed matrices run many times slower here than transposing first, so their gradients are written out.
  const swapped = (x) => (x.rank === 2 ? x.transpose() : x.transpose([0, 1, 3, 2]));
  const product = tf.customGrad((a, b, save) => {
    save([a, b]);
    return {
      value: tf.matMul(a, b),
      gradFunc: (dOut, [x, y]) => [tf.matMul(dOut, swapped(y)), tf.matMul(swapped(x), dOut)],
    };
  });
  const linear = (x, weight) => product(x, weight.transpose());
  const norm = (x) => x.mul(x.square().mean(-1, true).add(1e-5).rsqrt());

  const loss = () => {
    let x = product(tokens, w.wte)
      .reshape([B, T, C])
      .add(w.wpe)
      .reshape([B * T, C]);
    x = norm(x);
    for (let l = 0; l < nLayer; l++) {
      const [q, k, v] = tf
        .split(linear(norm(x), w[`qkv${l}`]), 3, 1)
        .map((part) => part.reshape([B, T, H, D]).transpose([0, 2, 1, 3])); // [B,H,T,D]
      const scores = product(q, swapped(k))
        .mul(1 / Math.sqrt(D))
        .add(mask);
      const mixed = product(tf.softmax(scores), v)
        .transpose([0, 2, 1, 3])
        .reshape([B * T, C]);
      x = x.add(linear(mixed, w[`wo${l}`]));
      x = x.add(linear(tf.relu(linear(norm(x), w[`fc1${l}`])), w[`fc2${l}`]));
    }
    return tf.logSoftmax(linear(x, w.lmHead)).mul(targets).sum(-1).mean().neg();
  };
  const adam = tf.train.adam(ADAM.learningRate, ADAM.beta1, ADAM.beta2, ADAM.eps);
  return {
    version: tf.version.tfjs,
    step: () =>
      tf.tidy(() => {
        const { value, grads } = tf.variableGrads(loss);
        adam.applyGradients(grads);
        return value.dataSync()[0];
      }),
    close: () => tf.disposeVariables(),
  };
}
