// Keeps one page for when there is no network: the rest of the site is always fetched.
const CACHE = "shell-1";
const PAGE = "/offline/";
const PARTS = ["css/tokens.css", "css/base.css", "css/layout.css", "css/components.css", "css/viewer.css", "js/theme.js", "img/icons.svg", "img/favicon.svg"];

self.addEventListener("install", (event) => {
  const addresses = [PAGE, ...PARTS.map((part) => `/static/${part}`)];
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(addresses)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const clean = async () => {
    for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
    await self.clients.claim();
  };
  event.waitUntil(clean());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(PAGE)));
  } else if (request.method === "GET" && new URL(request.url).pathname.startsWith("/static/")) {
    event.respondWith(fetch(request).catch(() => caches.match(request).then((kept) => kept ?? Response.error())));
  }
});
