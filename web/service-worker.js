// Keeps every file of this version, so that the page works without a network after the first visit. A new version replaces all of it at once.
const VERSION = __VERSION__;
const FILES = __FILES__;
const CACHE = `microgpt-${VERSION}`;

self.addEventListener('install', (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener('activate', (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(
          names.filter((name) => name.startsWith('microgpt-') && name !== CACHE).map((name) => caches.delete(name)),
        ),
      )
      .then(() => self.clients.claim()),
  );
});

// The network first for the page itself, so that a new version is seen; the rest has its version in its name.
self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== location.origin) return;
  const kept = () => caches.match(request, { ignoreSearch: true });
  if (request.mode === 'navigate') {
    event.respondWith(
      fetch(request).catch(async () => (await kept()) ?? (await caches.match('./')) ?? Response.error()),
    );
    return;
  }
  event.respondWith(kept().then((found) => found ?? fetch(request)));
});
