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

// A push from the platform. Its `tag` lets a second attempt replace the first one instead of ringing twice.
self.addEventListener("push", (event) => {
  const said = event.data?.json() ?? {};
  const options = { body: said.body, tag: said.tag, data: { id: said.id, url: said.url ?? "/notifications/", opened: said.opened, over: said.over }, icon: "/static/img/favicon.svg" };
  if (said.image) options.image = said.image;
  event.waitUntil(self.registration.showNotification(said.title ?? "Something new", options).then(() => closeOver(said.tag)));
});

// Popups of what was read or dismissed elsewhere, taken back or expired, are closed: when a page hears of it, and with
// the next push. Each is asked about under the mark of its own viewer, whoever is signed in. Not about `fresh`, the one that
// has just come: a push to everybody is not answered by everybody at once.
async function closeOver(fresh) {
  const asked = new Map();
  for (const popup of await self.registration.getNotifications()) {
    const { over } = popup.data ?? {};
    if (over && popup.tag !== fresh) asked.set(over, [...(asked.get(over) ?? []), popup]);
  }
  for (const [address, popups] of asked) {
    const ids = new URLSearchParams(popups.map((popup) => ["ids", popup.data.id]));
    const answer = await fetch(`${address}?${ids}`).catch(() => null);
    if (!answer?.ok) continue;
    const { over } = await answer.json();
    for (const popup of popups) if (over.includes(popup.data.id)) popup.close();
  }
}

self.addEventListener("message", (event) => {
  if (event.data?.type === "close-over") event.waitUntil(closeOver());
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { data } = event.notification;
  const url = new URL(data.url, self.location.origin);
  const open = async () => {
    for (const page of await self.clients.matchAll({ type: "window" })) {
      if (new URL(page.url).pathname === url.pathname) return page.focus();
    }
    return self.clients.openWindow(url.href);
  };
  if (url.origin === self.location.origin) event.waitUntil(open());
  if (data.opened) event.waitUntil(fetch(new URL(data.opened, self.location.origin), { method: "POST" }).catch(() => {}));
});
