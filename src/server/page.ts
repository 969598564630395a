/**
 * The status page at `/`: models, load, a box to generate. Three files, in memory; the page asks nobody but this server.
 * Invariant: no text from a model or a server becomes markup.
 */

export interface PageFile {
  readonly type: string;
  readonly text: string;
}

export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
} as const;

const html = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>microgpt</title>
<link rel="stylesheet" href="/page.css">
<main>
<h1>microgpt</h1>
<p id="state" role="status">…</p>
<dl id="load"></dl>
<form id="ask">
<label>Model <select id="model"></select></label>
<label>Text to go on from <textarea id="prompt" rows="3"></textarea></label>
<label>Temperature <input id="temperature" type="number" min="0" max="2" step="0.1" value="0.8"></label>
<label>Seed <input id="seed" type="number" min="0" value="42"></label>
<label>Tokens, at most <input id="most" type="number" min="1" placeholder="16"></label>
<label>Key, if the server has one <input id="key" type="password" autocomplete="off"></label>
<div><button>Generate</button> <button id="stop" type="button" disabled>Stop</button></div>
</form>
<pre id="out" aria-live="polite"></pre>
<p><a href="/openapi.json">OpenAPI</a> · <a href="/metrics">Metrics</a></p>
</main>
<script type="module" src="/page.js"></script>
</html>
`;

const css = `:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; }
form { display: grid; gap: .75rem; }
label { display: grid; gap: .25rem; }
textarea, input, select, button { font: inherit; padding: .3rem .5rem; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; }
dd { margin: 0; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
pre { min-height: 4rem; padding: .75rem; border: 1px solid; border-radius: .3rem; white-space: pre-wrap; overflow-wrap: anywhere; }
`;

const js = `const get = (id) => document.getElementById(id);
const headers = () => {
  const key = get('key').value;
  return key ? { authorization: 'Bearer ' + key } : {};
};
let refusedKey = null;
async function refresh() {
  try {
    const ready = await fetch('/ready');
    const key = get('key').value;
    // What was refused is not asked again with the same key.
    const metrics = refusedKey === key ? null : await fetch('/metrics', { headers: headers() });
    if (metrics !== null) refusedKey = metrics.status === 401 ? key : null;
    const needs = refusedKey === null ? '' : key === '' ? '; it needs a key' : '; this is not its key';
    get('state').textContent = (ready.ok ? 'Ready' : 'Not ready') + needs;
    if (!metrics?.ok) return;
    const values = new Map((await metrics.text()).split('\\n').map((line) => line.split(' ')).filter((l) => l.length === 2));
    const sum = (name) => [...values].filter(([key]) => key.startsWith(name)).reduce((all, [, x]) => all + Number(x), 0);
    const load = { answering: sum('microgpt_active'), waiting: sum('microgpt_waiting'),
      requests: sum('microgpt_requests_total'), tokens: sum('microgpt_tokens_total') };
    get('load').replaceChildren(...Object.entries(load).map(([name, value]) => {
      const box = document.createElement('div');
      for (const [tag, text] of [['dt', name], ['dd', value]]) {
        const part = document.createElement(tag);
        part.textContent = text;
        box.append(part);
      }
      return box;
    }));
    if (get('model').options.length === 0) {
      const models = await fetch('/v1/models', { headers: headers() });
      if (models.ok) for (const { id } of (await models.json()).data) get('model').append(new Option(id));
    }
  } catch {
    get('state').textContent = 'The server does not answer';
  }
}
let running = null;
get('ask').addEventListener('submit', async (event) => {
  event.preventDefault();
  running?.abort();
  const own = (running = new AbortController());
  get('stop').disabled = false;
  const out = get('out');
  out.textContent = get('prompt').value;
  out.ariaBusy = 'true'; // read out when it is whole
  try {
    const body = { model: get('model').value, prompt: get('prompt').value, temperature: Number(get('temperature').value),
      seed: Number(get('seed').value), max_tokens: Number(get('most').value) || null, stream: true };
    const response = await fetch('/v1/completions', { method: 'POST', signal: own.signal,
      headers: { 'content-type': 'application/json', ...headers() }, body: JSON.stringify(body) });
    if (!response.ok) throw new Error((await response.json()).error.message);
    let rest = '';
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const lines = (rest + decoder.decode(next.value, { stream: true })).split('\\n\\n');
      rest = lines.pop();
      for (const line of lines) {
        if (line === 'data: [DONE]') continue;
        const chunk = JSON.parse(line.slice(6));
        if (chunk.error) throw new Error(chunk.error.message);
        out.textContent += chunk.choices[0]?.text ?? '';
      }
    }
  } catch (error) {
    if (!own.signal.aborted) out.textContent += '\\n' + error.message;
  } finally {
    if (running === own) {
      get('stop').disabled = true;
      out.ariaBusy = 'false';
    }
  }
});
get('stop').addEventListener('click', () => running?.abort());
get('key').addEventListener('change', refresh);
refresh();
setInterval(refresh, 2000);
`;

export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map([
  ['/', { type: 'text/html; charset=utf-8', text: html }],
  ['/page.css', { type: 'text/css; charset=utf-8', text: css }],
  ['/page.js', { type: 'text/javascript; charset=utf-8', text: js }],
]);
