// Where Chromium is, and how the tests start it. playwright-core is installed for the full tier only, so its types cannot be counted on.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from './cli.js';

export const chromium = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(folder, name)))
  .find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });

/** What is missing where there is none. */
export const NO_BROWSER =
  chromium === undefined ? 'there is no chromium, chromium-browser or google-chrome on the PATH' : null;

/** Starts it; `T` is as much of playwright's browser as the caller uses. */
export async function launchChromium<T>(args: readonly string[] = []): Promise<T> {
  const playwright: { readonly chromium: { launch(options: object): Promise<T> } } = await import(
    /* @vite-ignore */ join(ROOT, 'test/full/node_modules/playwright-core/index.mjs')
  );
  return playwright.chromium.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', ...args],
  });
}
