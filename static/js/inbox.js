// Bell, drawer and inbox page: what the live connection tells, shown; what the viewer reads, told.
import { Live } from "./live.js";
import { fill, fromTemplate, inWords, post } from "./page.js";
import { Seen } from "./seen.js";
import { removeToast, showToast } from "./toasts.js";

const READ_URL = "/notifications/read/";
const WORDS = {
  connecting: "Connecting…",
  connected: "Live",
  reconnecting: "Reconnecting…",
  offline: "Offline",
  "signed-out": "Signed out",
};
const plainTitle = document.title;
let unread = 0;

const entriesOf = (id) => document.querySelectorAll(`[data-entry="${id}"]`);

function showUnread(count) {
  unread = Math.max(0, count);
  const label = unread > 99 ? "99+" : String(unread);
  document.title = unread ? `(${label}) ${plainTitle}` : plainTitle;
  for (const badge of document.querySelectorAll("[data-unread-badge]")) {
    badge.textContent = label;
    badge.hidden = unread === 0;
  }
  for (const button of document.querySelectorAll("[data-read-all]")) button.hidden = unread === 0;
  for (const words of document.querySelectorAll("[data-unread-words]")) words.textContent = unread ? `${label} unread` : "All read";
  document.querySelector("#bell > button")?.setAttribute("aria-label", unread ? `Notifications, ${label} unread` : "Notifications");
}

function showState(state) {
  const connection = document.getElementById("connection");
  connection.dataset.state = state;
  connection.title = WORDS[state];
  fill(connection, "word", WORDS[state]);
}

// --- Entries -------------------------------------------------------------------------------------------------------
function draw(entry, notification) {
  entry.dataset.entry = notification.id;
  entry.dataset.revision = notification.revision;
  entry.dataset.positions = JSON.stringify(notification.positions);
  entry.classList.toggle("is-recalled", notification.recalled);
  entry.classList.add("is-unread", "is-new");
  fill(entry, "title", notification.title).href = notification.url;
  fill(entry, "body", notification.body);
  fill(entry, "studio", notification.studio);
  const time = fill(entry, "time", inWords(new Date(notification.published_at)));
  if (time) time.dateTime = notification.published_at;
  const image = entry.querySelector("img[data-part='image']");
  if (image && notification.image) image.src = notification.image;
  const why = entry.querySelector('[data-part="why"]');
  why.href = `/notifications/${notification.id}/why/`;
  why.setAttribute("hx-get", why.getAttribute("href"));
  why.setAttribute("hx-target", "next .entry__reason");
  window.htmx.process(entry);
}

function insert(list, notification) {
  list.querySelector("[data-empty]")?.remove();
  let day = list.querySelector(".day");
  if (day?.textContent !== "Today") {
    day = document.createElement("h3");
    day.className = "day";
    day.textContent = "Today";
    list.prepend(day);
  }
  const entry = fromTemplate("entry-template");
  draw(entry, notification);
  day.after(entry);
}

function showNotification(live, seen, notification) {
  const known = [...entriesOf(notification.id)];
  const wasUnread = known.some((entry) => entry.classList.contains("is-unread"));
  for (const entry of known) draw(entry, notification);
  for (const list of document.querySelectorAll("[data-entries]")) {
    if (!list.querySelector(`[data-entry="${notification.id}"]`)) insert(list, notification);
  }
  if (notification.recalled) removeToast(notification.id);
  else showToast(notification);
  if (notification.revision > 1) live.askUnread();
  else if (!wasUnread && !notification.missed) showUnread(unread + 1);
  seen.card(notification.positions);
}

function markRead(entry) {
  entry.classList.remove("is-unread");
  removeToast(entry.dataset.entry);
}

function showRead({ ids, positions, unread: left }) {
  for (const id of ids) {
    removeToast(id);
    entriesOf(id).forEach(markRead);
  }
  for (const entry of document.querySelectorAll(".entry.is-unread")) {
    const at = Object.entries(JSON.parse(entry.dataset.positions ?? "{}"));
    if (at.some(([topic, seq]) => seq <= (positions[topic] ?? -1))) markRead(entry);
  }
  showUnread(left);
}

// --- What the viewer reads -------------------------------------------------------------------------------------------
function read(id) {
  const entries = [...entriesOf(id)];
  if (entries.some((entry) => entry.classList.contains("is-unread"))) showUnread(unread - 1);
  entries.forEach(markRead);
  post(READ_URL, [["ids", id]]);
}

/** A link to what a notification tells of was followed, on an entry or a toast, in this window or another. */
function followLink(element) {
  const card = element.closest('a[data-part="title"], a[data-part="action"]')?.closest("[data-entry], [data-toast]");
  const id = card?.dataset.entry || card?.dataset.toast;
  if (!id) return;
  post(`/notifications/${id}/opened/`);
  if (card.dataset.toast || card.classList.contains("is-unread")) read(id);
}

function readAll() {
  const positions = {};
  for (const element of document.querySelectorAll("[data-positions]")) {
    for (const [topic, seq] of Object.entries(JSON.parse(element.dataset.positions))) {
      positions[topic] = Math.max(seq, positions[topic] ?? 0);
    }
  }
  document.querySelectorAll(".entry.is-unread").forEach(markRead);
  showUnread(0);
  post(READ_URL, [["positions", JSON.stringify(positions)]]);
}

function listenToReader() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-read-all]")) readAll();
  });
  for (const click of ["click", "auxclick"]) document.addEventListener(click, (event) => event.button < 2 && followLink(event.target));
}

function listenToEyes(seen) {
  const page = document.querySelector(".inbox[data-entries]");
  if (page) seen.list(page);
  page?.addEventListener("htmx:afterSettle", () => seen.list(page));
  document.addEventListener("toggle", (event) => event.target.id === "drawer" && event.newState === "open" && seen.list(event.target), true);
}

// --- The connection --------------------------------------------------------------------------------------------------
const RETRY_BELL = 3000; // milliseconds

export function startInbox() {
  if (!("signedIn" in document.body.dataset)) return;
  const bell = document.getElementById("bell");
  const live = new Live(`${location.origin.replace(/^http/, "ws")}/ws/live/`);
  const seen = new Seen(live);
  live.addEventListener("state", (event) => showState(event.detail));
  live.addEventListener("unread", (event) => showUnread(event.detail));
  live.addEventListener("notification", (event) => showNotification(live, seen, event.detail));
  live.addEventListener("read", (event) => showRead(event.detail));
  live.addEventListener("reset", () => window.htmx.trigger(bell, "reload"));
  bell.addEventListener("htmx:beforeSwap", () => {
    bell.dataset.wasOpen = String(bell.querySelector("#drawer")?.matches(":popover-open") ?? false);
  });
  bell.addEventListener("htmx:afterSettle", (event) => {
    if (event.target !== bell) return;
    const drawer = bell.querySelector("#drawer");
    if (bell.dataset.wasOpen === "true") drawer.showPopover();
    showUnread(Number(drawer.dataset.unread));
    live.resume(drawer.dataset.epoch, JSON.parse(drawer.dataset.positions));
  });
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    bell.addEventListener(failure, () => setTimeout(() => window.htmx.trigger(bell, "reload"), RETRY_BELL * (1 + Math.random())));
  }
  listenToReader();
  listenToEyes(seen);
}
