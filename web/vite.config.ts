/**
 * Builds the playground twice: a folder for any host (with a service worker, so that it works offline after the first visit), and with
 * `--mode file` one HTML file that works from disk. Run by scripts/playground.mjs, after the library.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const DATASETS = ['names.txt', 'stories.txt', 'chat.jsonl'];
const dataset = (name: string) => readFileSync(at(`../datasets/${name}`));

/** Nothing is fetched from elsewhere and nothing is sent anywhere: the page says so in a way that browsers enforce. */
const POLICY = {
  folder:
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; " +
    "connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; form-action 'none'; base-uri 'none'",
  file:
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'unsafe-inline'; img-src data: blob:; " +
    "worker-src blob: data:; form-action 'none'; base-uri 'none'",
};

const policy = (content: string): Plugin => ({
  name: 'policy',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content }, injectTo: 'head-prepend' },
  ],
});

/** The corpora as files beside the page, and a service worker that keeps everything. */
const folder: Plugin = {
  name: 'folder',
  apply: 'build',
  generateBundle(_options, bundle) {
    for (const name of DATASETS) this.emitFile({ type: 'asset', fileName: `datasets/${name}`, source: dataset(name) });
    const hash = createHash('sha256');
    for (const file of Object.values(bundle)) hash.update(file.type === 'chunk' ? file.code : file.source);
    for (const name of DATASETS) hash.update(dataset(name));
    const files = ['./', ...Object.keys(bundle).filter((name) => name !== 'index.html')];
    const later = DATASETS.map((name) => `datasets/${name}`);
    const source = readFileSync(at('service-worker.js'), 'utf8')
      .replace('__VERSION__', JSON.stringify(hash.digest('hex').slice(0, 12)))
      .replace('__FILES__', JSON.stringify([...files, ...later, 'manifest.webmanifest', 'icon.svg']));
    this.emitFile({ type: 'asset', fileName: 'service-worker.js', source });
  },
};

/** Everything in the one HTML file, the corpora packed. */
const oneFile: Plugin = {
  name: 'one-file',
  enforce: 'post',
  resolveId: (id) => (id === 'virtual:datasets' ? id : undefined),
  load: (id) =>
    id === 'virtual:datasets'
      ? `export const packed = ${JSON.stringify(Object.fromEntries(DATASETS.map((name) => [name, deflateRawSync(dataset(name), { level: 9 }).toString('base64')])))};`
      : undefined,
  generateBundle(_options, bundle) {
    const html = bundle['index.html'];
    if (html?.type !== 'asset') throw new Error('there is no index.html to put everything into');
    let text = String(html.source);
    for (const [name, file] of Object.entries(bundle)) {
      if (file.type === 'chunk') {
        const code = file.code.replaceAll('</script', '<\\/script');
        text = text.replace(
          new RegExp(`<script type="module"[^>]*src="[^"]*${name}"[^>]*></script>`),
          () => `<script type="module">${code}</script>`,
        );
      } else if (name.endsWith('.css')) {
        text = text.replace(
          new RegExp(`<link rel="stylesheet"[^>]*href="[^"]*${name}"[^>]*>`),
          () => `<style>${file.source}</style>`,
        );
      } else continue;
      delete bundle[name];
    }
    html.source = text.replace(/<link rel="(manifest|icon)"[^>]*>/g, '');
    html.fileName = 'microgpt.html';
  },
};

export default defineConfig(({ mode }) => {
  const file = mode === 'file';
  return {
    root: at('.'),
    base: './',
    publicDir: file ? false : 'public',
    define: { __ONE_FILE__: JSON.stringify(file) },
    resolve: {
      alias: {
        'microgpt/browser': at('../dist/browser/index.js'),
        microgpt: at('../dist/index.js'),
        ...(file
          ? {
              './start': at('src/engine/start-inline.ts'),
              './engine/corpora-fetch': at('src/engine/corpora-inline.ts'),
            }
          : {}),
      },
    },
    worker: { format: file ? 'iife' : 'es' },
    build: {
      outDir: at('../dist/playground'),
      emptyOutDir: !file,
      target: 'es2022',
      assetsInlineLimit: file ? 100_000_000 : 0,
      modulePreload: false,
      cssCodeSplit: false,
      chunkSizeWarningLimit: 2000,
    },
    server: {
      headers: { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' },
    },
    plugins: file ? [policy(POLICY.file), oneFile] : [policy(POLICY.folder), folder],
  };
});
