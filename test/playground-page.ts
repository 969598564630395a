// The playground as a person uses it, for the tests: served, opened, pressed. As much of playwright's types as is used here.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type StaticFile, serveFiles } from '../src/node/playground.js';

export interface Locator {
  click(options?: { timeout?: number; position?: { x: number; y: number } }): Promise<void>;
  fill(text: string): Promise<void>;
  check(): Promise<void>;
  selectOption(value: string): Promise<unknown>;
  setInputFiles(files: FilePayload | FilePayload[]): Promise<void>;
  textContent(): Promise<string | null>;
  allTextContents(): Promise<string[]>;
  inputValue(): Promise<string>;
  getAttribute(name: string): Promise<string | null>;
  count(): Promise<number>;
  isDisabled(): Promise<boolean>;
  isVisible(): Promise<boolean>;
  waitFor(options?: { timeout?: number; state?: string }): Promise<void>;
  nth(i: number): Locator;
  first(): Locator;
  last(): Locator;
  all(): Promise<Locator[]>;
  locator(selector: string): Locator;
  getByRole(role: string, options?: { name?: string | RegExp; exact?: boolean }): Locator;
  press(key: string): Promise<void>;
  focus(): Promise<void>;
  hover(options?: { position?: { x: number; y: number } }): Promise<void>;
  boundingBox(): Promise<{
    readonly x: number;
    readonly y: number;
    readonly width: number;
    readonly height: number;
  } | null>;
}
export interface FilePayload {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}
export interface Download {
  suggestedFilename(): string;
  path(): Promise<string>;
}
export interface Page extends Pick<Locator, 'locator' | 'getByRole'> {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  close(): Promise<void>;
  getByText(text: string | RegExp): Locator;
  waitForTimeout(ms: number): Promise<void>;
  waitForFunction<A>(run: (argument: A) => unknown, argument: A, options?: { timeout?: number }): Promise<unknown>;
  waitForEvent(name: 'download'): Promise<Download>;
  evaluate<R>(run: () => R | Promise<R>): Promise<R>;
  evaluate<A, R>(run: (argument: A) => R | Promise<R>, argument: A): Promise<R>;
  workers(): { evaluate(run: () => void): Promise<void> }[];
  addScriptTag(options: { path: string }): Promise<unknown>;
  screenshot(options?: { path?: string; fullPage?: boolean }): Promise<Buffer>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(options: { colorScheme?: 'light' | 'dark'; reducedMotion?: 'reduce' }): Promise<void>;
  on(event: 'pageerror', heard: (error: Error) => void): void;
  on(event: 'console', heard: (message: { type(): string; text(): string }) => void): void;
  on(event: 'response', heard: (response: PageResponse) => void): void;
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
}
export interface PageResponse {
  url(): string;
  body(): Promise<Buffer>;
}
export interface Context {
  newPage(): Promise<Page>;
  setOffline(offline: boolean): Promise<void>;
  newCDPSession(page: Page): Promise<{ send(method: string, asked: object): Promise<unknown> }>;
  close(): Promise<void>;
}
export interface Browser {
  newContext(options?: object): Promise<Context>;
  version(): string;
  close(): Promise<void>;
}

/** The same files without the headers of cross-origin isolation, below a folder. */
export async function servePlain(files: ReadonlyMap<string, StaticFile>, folder: string) {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const file = path.startsWith(folder) ? files.get(path.slice(folder.length)) : undefined;
    if (file === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'Content-Type': file.type }).end(file.bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}${folder}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

export async function serveIsolated(files: ReadonlyMap<string, StaticFile>) {
  const { port, close } = await serveFiles(files, { port: 0 });
  return { address: `http://127.0.0.1:${port}/`, close };
}

/** The hash of the weights once the page shows one. */
export async function hashOf(page: Page): Promise<string> {
  await page.waitForFunction(hasHash, null, { timeout: 60_000 });
  return page.evaluate(shownHash);
}

/** Opens a view with these settings and waits until a run is set up. */
export async function openPlayground(page: Page, address: string, settings = ''): Promise<void> {
  await page.goto(`${address}${settings === '' ? '' : `#train?${settings}`}`);
  await hashOf(page);
}

export const press = (page: Page, name: string): Promise<void> =>
  page.getByRole('button', { name, exact: true }).click();

/** Trains to the end and gives the hash of the weights. */
export async function trainToTheEnd(page: Page, button = 'Start'): Promise<string> {
  const before = await page.evaluate(runNumber);
  await press(page, button);
  const least = button === 'Train again' ? before + 1 : before;
  await page.waitForFunction(isDone, least, { timeout: 120_000 });
  return hashOf(page);
}

/** As much of a page's world as the functions below use; they run there. */
interface World {
  readonly document: {
    querySelector(selector: string): { readonly textContent: string; getAttribute(name: string): string | null } | null;
    readonly documentElement: { readonly scrollWidth: number; readonly clientWidth: number };
  };
}

const hasHash = () =>
  (globalThis as unknown as World).document.querySelector('[data-hash]')?.getAttribute('data-hash')?.length === 64;
const shownHash = () =>
  (globalThis as unknown as World).document.querySelector('[data-hash]')?.getAttribute('data-hash') ?? '';

const runNumber = () =>
  Number((globalThis as unknown as World).document.querySelector('[data-run]')?.getAttribute('data-run'));
/** Whether a run of this number, or a later one, is at its end. */
const isDone = (least: number) => {
  const controls = (globalThis as unknown as World).document.querySelector('[data-run]');
  return controls?.getAttribute('data-state') === 'done' && Number(controls.getAttribute('data-run')) >= least;
};

/** Whether the page is wider than its window. */
export const isTooWide = (): boolean => {
  const { scrollWidth, clientWidth } = (globalThis as unknown as World).document.documentElement;
  return scrollWidth > clientWidth;
};

/** Whether the page says that so many steps are done; runs there. */
export const isAtStep = (step: number): boolean =>
  ((globalThis as unknown as World).document.querySelector('.status')?.textContent ?? '').startsWith(`Step ${step} of`);

/** Whether the page says that more steps are done; runs there. */
export const isPastStep = (step: number): boolean => {
  const status = (globalThis as unknown as World).document.querySelector('.status')?.textContent ?? '';
  return Number(/Step ([\d,]+) of/.exec(status)?.[1].replace(/,/g, '')) > step;
};

/** Steps that the page says are done. */
export const stepsDone = (page: Page): Promise<number> =>
  page.evaluate(() => {
    const { document } = globalThis as unknown as World;
    return Number(/Step ([\d,]+) of/.exec(document.querySelector('.status')?.textContent ?? '')?.[1].replace(/,/g, ''));
  });

/** What a browser does when a file is dropped on the page; runs there. */
export function dropFile({ name, bytes }: { readonly name: string; readonly bytes: readonly number[] }): void {
  const { DataTransfer, DragEvent, document } = globalThis as unknown as {
    DataTransfer: new () => { items: { add(file: File): void } };
    DragEvent: new (type: string, options: object) => Event;
    document: { body: EventTarget };
  };
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([Uint8Array.from(bytes)], name));
  for (const type of ['dragover', 'drop']) {
    document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  }
}
