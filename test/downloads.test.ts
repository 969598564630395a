// Downloads: what comes is what was expected, or it is refused and nothing is kept.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DOWNLOADS, type Download, fetchCorpus } from '../src/node/corpora.js';
import { isPrivate } from '../src/node/download.js';
import { temporaryFolder } from './cli.js';

describe('D9: downloads', () => {
  /** A server on this machine; gives its address. */
  async function serve(answer: RequestListener): Promise<string> {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/text`;
  }
  const open: Download = { ...DOWNLOADS[0], name: 'open', sha256: null, bytes: 1000 };
  const serveText = (text: string) => serve((_, response) => void response.end(text));

  test('the sha256 of the first download is kept beside it, and decides about the next', async () => {
    const folder = temporaryFolder();
    const path = join(folder, 'open.txt');
    const url = await serveText('one text');
    expect(await fetchCorpus(open, { url, folder })).toMatchObject({ path, cached: false });
    const sha256 = createHash('sha256').update('one text').digest('hex');
    expect(readFileSync(`${path}.sha256`, 'utf8')).toBe(`${sha256}  open.txt\n`);
    expect(await fetchCorpus(open, { url: 'http://127.0.0.1:1/', folder })).toMatchObject({ cached: true, sha256 });
    // Someone changed the file: it is fetched again, and must be what it was.
    writeFileSync(path, 'changed');
    const other = { url: await serveText('another'), folder };
    await expect(fetchCorpus(open, other)).rejects.toMatchObject({ code: 'MG_DOWNLOAD_HASH' });
    expect(readFileSync(path, 'utf8')).toBe('changed');
    expect(await fetchCorpus(open, { url, folder })).toMatchObject({ cached: false, sha256 });
    expect(readFileSync(path, 'utf8')).toBe('one text');
    expect(readdirSync(folder).sort()).toEqual(['open.txt', 'open.txt.sha256']);
  });

  test('without network it says where to put the file by hand, and then takes it', async () => {
    const folder = temporaryFolder();
    const offline = { url: 'http://127.0.0.1:1/', folder };
    await expect(fetchCorpus(open, offline)).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_FAILED',
      remedy: expect.stringContaining(join(folder, 'open.txt')),
    });
    writeFileSync(join(folder, 'open.txt'), 'by hand');
    expect(await fetchCorpus(open, offline)).toMatchObject({ cached: true });
    expect(readdirSync(folder)).toContain('open.txt.sha256');
  });

  test.each([
    ['file:///etc/passwd', 'not https'],
    ['http://example.com/x', 'not https'],
    ['/elsewhere', 'not https'], // the same server, which is not https either
    ['https://127.0.0.1/x', 'private network'],
    ['https://localhost/x', 'private network'],
    ['https://10.1.2.3/x', 'private network'],
    ['https://[::1]/x', 'private network'],
    ['https://[::ffff:192.168.0.1]/x', 'private network'],
    ['https://2130706433/x', 'private network'], // 127.0.0.1 as one number
    ['https://169.254.169.254/latest/meta-data', 'private network'],
    ['https://', 'no address'],
  ])('a redirect to %s is not followed', async (location, why) => {
    const folder = temporaryFolder();
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url);
      response.writeHead(302, { location }).end();
    });
    await expect(fetchCorpus(open, { url, folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_FAILED',
      message: expect.stringContaining(why),
    });
    expect(asked).toEqual(['/text']);
    expect(readdirSync(folder)).toEqual([]);
  });

  test('addresses in private networks are known in any spelling', () => {
    for (const address of [
      '127.9.9.9',
      '0.0.0.0',
      '172.31.0.1',
      '100.64.0.1',
      '224.0.0.1',
      '::',
      'fe80::1',
      'fd00::1',
      '::ffff:7f00:1',
      '64:ff9b::7f00:1',
    ]) {
      expect(isPrivate(address), address).toBe(true);
    }
    for (const address of ['1.1.1.1', '172.32.0.1', '185.199.108.133', '2606:50c0:8000::154', '::ffff:101:101']) {
      expect(isPrivate(address), address).toBe(false);
    }
  });

  test('ten times the size, and a connection that is cut: refused, and nothing is kept', async () => {
    const folder = temporaryFolder();
    const endless = await serve((_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(1000)));
      };
      response.on('drain', more).on('error', () => {});
      more();
    });
    await expect(fetchCorpus(open, { url: endless, folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_FAILED',
      message: expect.stringContaining('more than the 1,000 bytes that it may have'),
    });
    await expect(fetchCorpus({ ...open, sha256: '0'.repeat(64) }, { url: endless, folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_HASH',
    });
    const cut = await serve((_, response) => {
      response.writeHead(200, { 'content-length': '900' });
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    });
    await expect(fetchCorpus(open, { url: cut, folder })).rejects.toMatchObject({ code: 'MG_DOWNLOAD_FAILED' });
    const pinned = { ...open, sha256: '0'.repeat(64) };
    await expect(fetchCorpus(pinned, { url: await serveText('x'), folder })).rejects.toMatchObject({
      code: 'MG_DOWNLOAD_HASH',
    });
    expect(readdirSync(folder)).toEqual([]);
  });
});
