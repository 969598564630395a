/**
 * What an exported page does: takes the model out of itself and prints samples of it when asked. Nothing is fetched, nothing is sent.
 * Refuses to know: how the page was made (export/html.ts). Invariant: the same settings give the same samples as `microgpt generate`.
 */
import { MicrogptError } from '../base/errors.js';
import { decodeSafetensors } from '../checkpoint/safetensors.js';
import { generate } from '../engine/text.js';
import { readPrompt } from '../tokenizer/small-letters.js';

/** As much of a page as is used here. */
interface Element {
  textContent: string;
  value: string;
  disabled: boolean;
  append(child: Element): void;
  replaceChildren(): void;
  addEventListener(event: 'submit', listener: (event: { preventDefault(): void }) => void): void;
}
interface Page {
  readonly document: {
    getElementById(id: string): Element | null;
    createElement(name: string): Element;
  };
  atob(base64: string): string;
  setTimeout(run: () => void, milliseconds: number): void;
}

/** The ids of the page's elements. */
export const PAGE_IDS = {
  model: 'model',
  form: 'form',
  prompt: 'prompt',
  samples: 'samples',
  temperature: 'temperature',
  seed: 'seed',
  button: 'button',
  results: 'results',
  message: 'message',
} as const;

/** Makes the form work, and prints the first samples. */
export function startPage(): void {
  const { document: page, atob, setTimeout } = globalThis as unknown as Page;
  const element = (id: string): Element => {
    const found = page.getElementById(id);
    if (found === null) throw new Error(`the page has no ${id}`);
    return found;
  };
  const [form, button, results, message] = [
    element(PAGE_IDS.form),
    element(PAGE_IDS.button),
    element(PAGE_IDS.results),
    element(PAGE_IDS.message),
  ];
  const bytes = Uint8Array.from(atob(element(PAGE_IDS.model).textContent), (c) => c.charCodeAt(0));
  const { checkpoint } = decodeSafetensors(bytes, 'the model in this page');

  function show(): void {
    results.replaceChildren();
    message.textContent = '';
    try {
      const prompt = element(PAGE_IDS.prompt).value;
      const { unknown } = readPrompt(checkpoint.tokenizer, prompt);
      if (unknown.length > 0) message.textContent = `The model does not know ${unknown.join(' ')}.`;
      const texts = generate(checkpoint, {
        prompt,
        samples: Number(element(PAGE_IDS.samples).value),
        temperature: Number(element(PAGE_IDS.temperature).value),
        seed: Number(element(PAGE_IDS.seed).value),
      });
      for (const text of texts) {
        const item = page.createElement('li');
        item.textContent = text;
        results.append(item);
      }
    } catch (error) {
      if (!(error instanceof MicrogptError)) throw error;
      message.textContent = `${error.message} → ${error.remedy}`;
    } finally {
      button.disabled = false;
    }
  }
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    button.disabled = true;
    setTimeout(show, 20); // lets the page show that it is at work
  });
  show();
}
