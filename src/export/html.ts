/**
 * A model as one web page that generates offline: markup, our own compiled modules and the model, all in one file.
 * Modules stand in an import map as data: addresses, because a page opened from disk may not load others. A policy in the page forbids
 * every connection. Refuses to know: disks, and what the modules do.
 */

export interface PageParts {
  readonly title: string;
  /** A line about the model. */
  readonly about: string;
  /** The model as safetensors. */
  readonly model: Uint8Array;
  /** Compiled modules by their paths below one folder, such as "base/math.js"; `browser/page.js` begins. */
  readonly modules: ReadonlyMap<string, string>;
}

const ENTRY = 'browser/page.js';
const PREFIX = 'microgpt/';
const IMPORT = /((?:^|\n)(?:import|export)\b[^;]*?\bfrom\s*|(?:^|\n)import\s*)'(\.[^']+)'/g;

/** Paths of the modules that a module imports. */
export function importsOf(path: string, source: string): string[] {
  return [...source.matchAll(IMPORT)].map((match) => resolved(path, match[2]));
}

export function htmlPage({ title, about, model, modules }: PageParts): string {
  const utf8 = new TextEncoder();
  const imports: Record<string, string> = {};
  for (const [path, source] of modules) {
    const absolute = source.replace(IMPORT, (_, head: string, to: string) => `${head}'${PREFIX}${resolved(path, to)}'`);
    imports[PREFIX + path] = `data:text/javascript;base64,${base64(utf8.encode(absolute))}`;
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' data:; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
form { display: flex; flex-wrap: wrap; gap: .75rem; align-items: end }
label { display: flex; flex-direction: column; font-size: .85rem }
input { font: inherit; padding: .25rem; width: 6rem }
#prompt { width: 14rem }
button { font: inherit; padding: .3rem 1rem }
li { white-space: pre-wrap; font-family: ui-monospace, monospace }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } }
</style>
<script type="importmap">${JSON.stringify({ imports })}</script>
</head>
<body>
<h1>${escaped(title)}</h1>
<p>${escaped(about)}</p>
<form id="form">
<label>begins with <input id="prompt" autocomplete="off"></label>
<label>samples <input id="samples" type="number" min="1" max="1000" value="20"></label>
<label>temperature <input id="temperature" type="number" min="0" max="10" step="0.1" value="0.5"></label>
<label>seed <input id="seed" type="number" min="0" value="42"></label>
<button id="button">Generate</button>
</form>
<p id="message" role="status"></p>
<ol id="results"></ol>
<script type="text/plain" id="model">${base64(model)}</script>
<script type="module">import { startPage } from '${PREFIX}${ENTRY}'; startPage();</script>
</body>
</html>
`;
}

/** "../base/math.js" seen from "engine/text.js" is "base/math.js". */
function resolved(from: string, to: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const part of to.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

function escaped(text: string): string {
  const names: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' };
  return text.replace(/[&<>"]/g, (c) => `&${names[c]};`);
}

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function base64(bytes: Uint8Array): string {
  const parts: string[] = [];
  let part = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const word = (bytes[i] << 16) | ((left > 1 ? bytes[i + 1] : 0) << 8) | (left > 2 ? bytes[i + 2] : 0);
    part += DIGITS[word >> 18] + DIGITS[(word >> 12) & 63] + (left > 1 ? DIGITS[(word >> 6) & 63] : '=');
    part += left > 2 ? DIGITS[word & 63] : '=';
    if (part.length < 65_536) continue;
    parts.push(part);
    part = '';
  }
  return parts.join('') + part;
}
