// The status page in Chromium: models, load, generating, a key; nothing that its policy forbids, and no markup from a model.
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { launchChromium, NO_BROWSER } from '../chromium.js';
import { describeFullWith } from '../needs.js';
import { type Answer, chat, names, serverFor } from './asking.js';

describeFullWith(NO_BROWSER, 'the status page', () => {
  test('shows what there is and generates', async () => {
    const markup = '<img src=x onerror=alert(1)>';
    const server = serverFor({ models: { names, chat }, rules: [{ contains: 'zz', reply: markup }], keys: ['right'] });
    const { url } = await server.listen(0);
    const browser: Answer = await launchChromium();
    try {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on('console', (message: Answer) => {
        if (message.type() === 'error') complaints.push(message.text());
      });
      page.on('pageerror', (error: Answer) => complaints.push(String(error)));
      /** Until a part of the page reads as it should. (Its policy forbids playwright's own way to wait for that.) */
      const shows = async (selector: string, text: RegExp) => {
        for (let i = 0; !text.test((await page.locator(selector).allTextContents()).join(' ')); i++) {
          if (i > 500) throw new Error(`${selector} never read ${text}: ${await page.textContent(selector)}`);
          await page.waitForTimeout(10);
        }
      };
      const generate = async (prompt: string) => {
        await page.fill('#prompt', prompt);
        await page.click('button');
      };
      await page.goto(url);
      await shows('#state', /^Ready; it needs a key$/);
      complaints.length = 0; // without a key, the numbers are refused
      await page.fill('#key', 'wrong');
      await page.dispatchEvent('#key', 'change');
      await shows('#state', /^Ready; this is not its key$/);
      complaints.length = 0;
      await page.fill('#key', 'right');
      await page.dispatchEvent('#key', 'change');
      await shows('#model option', /^names chat$/);
      await shows('#state', /^Ready$/);
      await shows('#load', /answering\d+waiting\d+requests\d+tokens\d+/);
      await generate('ma');
      await shows('#out', /^ma[a-z]+$/);
      await page.fill('#most', '2');
      await generate('j');
      await shows('#out', /^j[a-z]{2}$/);
      // By keys alone, and on a phone: nothing lies beyond its edge.
      await page.setViewportSize({ width: 320, height: 640 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(320);
      await page.fill('#prompt', 'k');
      await page.focus('#model');
      for (const id of ['prompt', 'temperature', 'seed', 'most', 'key']) {
        await page.keyboard.press('Tab');
        expect(await page.evaluate('document.activeElement.id')).toBe(id);
      }
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      await shows('#out', /^k[a-z]{2}$/);
      await page.locator('#out[aria-busy="false"]').waitFor();
      await page.fill('#most', '');
      await generate('zz');
      await shows('#out', /^zz<img/);
      expect(await page.locator('img').count()).toBe(0);
      await generate('a'.repeat(100));
      await shows('#out', /context holds 8 tokens/);
      expect(complaints.filter((text) => !/ 40[01] /.test(text))).toEqual([]);
      await generate('ja');
      await shows('#out', /^ja[a-z]+$/);
      if (process.env['MG_SCREENSHOT'])
        writeFileSync(process.env['MG_SCREENSHOT'], await page.screenshot({ fullPage: true }));
    } finally {
      await browser.close();
    }
  });
});
