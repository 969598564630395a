// The same model on jax-js with its wasm device, the whole step (loss, gradients, Adam) in one jit. Our own port. `.ref` is its rule for
// an array that is used once more. Embeddings are products with one-hot rows.
import { ADAM, matrices } from './sizes.mjs';

export async function open(job) {
  const { defaultDevice, init, jit, nn, numpy: np, tree, valueAndGrad } = await import('@jax-js/jax');
  await init('wasm');
  defaultDevice('wasm');
  const { config, B, batch } = job;
  const { nEmbd: C, nHead: H, nLayer, blockSize: T, vocabSize: V } = config;
  const D = C / H;
  const linear = (x, w) => np.matmul(x, np.transpose(w));
  const norm = (x) => {
    const scale = np.reciprocal(np.sqrt(np.mean(np.square(x.ref), -1, { keepdims: true }).add(1e-5)));
    return x.mul(scale);
  };
  const loss = (w, tokens, targets, mask) => {
    let x = np
      .matmul(tokens, w.wte)
      .reshape([B, T, C])
      .add(w.wpe)
      .reshape([B * T, C]);
    x = norm(x);
    for (let l = 0; l < nLayer; l++) {
      const qkv = linear(norm(x.ref), w[`qkv${l}`]).reshape([B, T, 3, H, D]);
      const [q, k, v] = np.unstack(np.transpose(qkv, [2, 0, 3, 1, 4])); // [B,H,T,D]
      const scores = np
        .matmul(q, np.transpose(k, [0, 1, 3, 2]))
        .mul(1 / Math.sqrt(D))
        .add(l === nLayer - 1 ? mask : mask.ref);
      const mixed = np.transpose(np.matmul(nn.softmax(scores, -1), v), [0, 2, 1, 3]).reshape([B * T, C]);
      x = x.add(linear(mixed, w[`wo${l}`]));
      const bent = nn.relu(linear(norm(x.ref), w[`fc1${l}`]));
      x = x.add(linear(bent, w[`fc2${l}`]));
    }
    return nn
      .logSoftmax(linear(x, w.lmHead), -1)
      .mul(targets)
      .sum()
      .mul(-1 / (B * T));
  };
  const { learningRate, beta1, beta2, eps } = ADAM;
  const update = jit((w, m, v, tokens, targets, mask, c1, c2) => {
    const [value, grads] = valueAndGrad(loss)(tree.ref(w), tokens, targets, mask);
    const next = { w: {}, m: {}, v: {} };
    const names = Object.keys(w);
    for (const [i, name] of names.entries()) {
      const g = grads[name];
      const again = (x) => (i === names.length - 1 ? x : x.ref);
      const m1 = m[name].mul(beta1).add(g.ref.mul(1 - beta1));
      const v1 = v[name].mul(beta2).add(np.square(g).mul(1 - beta2));
      const change = m1.ref.div(again(c1)).div(np.sqrt(v1.ref.div(again(c2))).add(eps));
      next.w[name] = w[name].sub(change.mul(learningRate));
      next.m[name] = m1;
      next.v[name] = v1;
    }
    return [value, next.w, next.m, next.v];
  });

  const given = Object.entries(matrices(job));
  let w = Object.fromEntries(given.map(([name, [shape, numbers]]) => [name, np.array(numbers).reshape(shape)]));
  let m = Object.fromEntries(given.map(([name, [shape]]) => [name, np.zeros(shape)]));
  let v = Object.fromEntries(given.map(([name, [shape]]) => [name, np.zeros(shape)]));
  const oneHot = (ids) => {
    const out = new Float32Array(ids.length * V);
    for (let r = 0; r < ids.length; r++) out[r * V + ids[r]] = 1;
    return np.array(out).reshape([ids.length, V]);
  };
  const tokens = oneHot(batch.tokens);
  const targets = oneHot(batch.targets);
  const mask = np
    .array(Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0)))
    .reshape([T, T]);
  let step = 0;
  return {
    async step() {
      step++;
      const [c1, c2] = [1 - beta1 ** step, 1 - beta2 ** step].map((c) => np.array([c]));
      let value;
      [value, w, m, v] = update(w, m, v, tokens.ref, targets.ref, mask.ref, c1, c2);
      const { lmHead } = w;
      await lmHead.blockUntilReady?.();
      return (await value.data())[0];
    },
    close() {
      for (const x of [tokens, targets, mask]) x.dispose();
      for (const all of [w, m, v]) tree.dispose(all);
    },
  };
}
