// The pictures in docs/playground/, renewed by the tests with MICROGPT_SCREENSHOTS=1.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../cli.js';
import type { Page } from '../playground-page.js';

export const PICTURES = process.env['MICROGPT_SCREENSHOTS'] === '1';
const FOLDER = join(ROOT, 'docs/playground');

/** As WebP, which playwright does not make: a canvas in an empty page does. */
export async function picture(page: Page, name: string, wanted: boolean): Promise<void> {
  if (!PICTURES || !wanted) return;
  if (!existsSync(FOLDER)) mkdirSync(FOLDER);
  const png = await page.screenshot({ fullPage: true });
  const webp = await page.evaluate(asWebp, png.toString('base64'));
  writeFileSync(join(FOLDER, `${name}.webp`), Buffer.from(webp, 'base64'));
}

async function asWebp(png: string): Promise<string> {
  interface Canvas {
    getContext(kind: '2d'): { drawImage(image: object, x: number, y: number): void };
    convertToBlob(options: object): Promise<Blob>;
  }
  const { createImageBitmap, OffscreenCanvas } = globalThis as unknown as {
    createImageBitmap(blob: Blob): Promise<{ readonly width: number; readonly height: number }>;
    OffscreenCanvas: new (width: number, height: number) => Canvas;
  };
  const image = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (c) => c.charCodeAt(0))]));
  const canvas = new OffscreenCanvas(image.width, image.height);
  canvas.getContext('2d').drawImage(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: 'image/webp', quality: 0.85 });
  return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(''));
}
