// Keys: where they have to stand, and that comparing them says nothing of them. (N23; bench/serve-hostile.mjs measures the times.)
import { expect, test } from 'vitest';
import { createKeyring, sameDigest } from '../../src/server/keys.js';
import { post, serverFor } from './asking.js';

const COMPLETIONS = '/v1/completions';

test('N23 keys: only the right one, in its header; a wrong one always looks the same', async () => {
  const key = 'sk-0123456789abcdef';
  const lines: object[] = [];
  const server = serverFor({ keys: ['other', key], log: (line) => lines.push(line), record: true });
  const wrong = [
    '',
    'Bearer',
    'Bearer ',
    `Bearer ${key.slice(0, -1)}`,
    `Bearer ${key}x`,
    `Bearer ${key} x`,
    `Basic ${key}`,
    `Bearer ${'k'.repeat(10_000)}`,
    `Bearer ${key}, Bearer ${key}`,
  ];
  const bodies = new Set<string>();
  for (const authorization of wrong) {
    const response = await server.fetch('/v1/models', { headers: authorization === '' ? {} : { authorization } });
    expect([authorization.slice(0, 30), response.status]).toEqual([authorization.slice(0, 30), 401]);
    bodies.add(await response.text());
  }
  expect(bodies.size).toBe(1);
  expect((await server.fetch(`/v1/models?api_key=${key}`)).status).toBe(401);
  for (const right of [`Bearer ${key}`, `bearer other`]) {
    expect((await server.fetch('/v1/models', { headers: { authorization: right } })).status).toBe(200);
  }
  const answer = await post(server, COMPLETIONS, { prompt: 'secretword' }, { authorization: `Bearer ${key}` });
  expect(answer.status).toBe(400); // the prompt is longer than the context; it is not in the log either
  for (const path of ['/health', '/ready', '/']) expect((await server.fetch(path)).status).toBe(200);
  expect((await server.fetch('/metrics')).status).toBe(401);
  expect(JSON.stringify(lines)).not.toMatch(/sk-|secretword/);
  expect(JSON.stringify(server.requests)).not.toContain('sk-');
});

test('N23 what is compared are digests, all of the same length, with every key there is', () => {
  const key = 'sk-0123456789abcdef';
  const compared: [number, number][] = [];
  const ring = createKeyring(['other', key, 'third'], (a, b) => {
    compared.push([a.length, b.length]);
    return sameDigest(a, b);
  });
  const given = [key, 'other', '', 's', key.slice(0, -1), `${key}x`, 'x'.repeat(10_000), 'ключ'];
  expect(given.map((one) => ring.find(one))).toEqual([1, 0, -1, -1, -1, -1, -1, -1]);
  expect(compared).toEqual(given.flatMap(() => Array(3).fill([64, 64])));
  // To the end, whatever differs.
  const digest = 'a'.repeat(64);
  for (let at = 0; at < 64; at++)
    expect(sameDigest(digest, `${digest.slice(0, at)}b${digest.slice(at + 1)}`)).toBe(false);
  expect(sameDigest(digest, digest)).toBe(true);
});
