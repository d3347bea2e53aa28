// Bell, drawer and inbox page: what the live connection tells, shown; what the viewer reads, told.
import { allEntries, drop, entriesOf, factsOf, fold, isUnread, remove, setUnread, show, unfold } from "./entries.js";
import { Expiry } from "./expiry.js";
import { Live } from "./live.js";
import { fill, post } from "./page.js";
import { Seen } from "./seen.js";
import { Standing } from "./standing.js";
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
const MOST_COUNTED = 100; // "99+"
const ASK_WITHIN = 20_000; // milliseconds
const CROWD_PASSES = 30_000; // milliseconds
const standing = new Standing();
let unread = 0;

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

// --- What is told ----------------------------------------------------------------------------------------------------
function showNotification(live, seen, notification) {
  const state = standing.of(notification);
  if (state === "dismissed") return;
  const wasUnread = entriesOf(notification.id).some(isUnread);
  show(notification, state !== "read");
  if (notification.recalled || state === "read") removeToast(notification.id);
  else showToast(notification);
  if (notification.recalled) closePopups();
  if (notification.revision > 1) live.askUnread();
  else if (!wasUnread && !notification.counted && state !== "read") showUnread(unread + 1);
  seen.card(notification.positions);
}

function showRead(frame) {
  standing.learn(frame);
  for (const id of [...frame.ids, ...Object.keys(frame.states.dismissed)]) removeToast(id);
  for (const entry of allEntries()) {
    const state = standing.of(factsOf(entry));
    if (state === "dismissed") drop(entry);
    else if (state) setUnread(entry, state === "unread");
    if (state && state !== "unread") removeToast(entry.dataset.entry);
  }
  if (frame.unread !== null) showUnread(frame.unread);
  if (frame.ids.length || Object.keys(frame.positions).length || Object.keys(frame.states.dismissed).length) closePopups();
}

/** Their time has come: they go, and are counted no more. */
function dropExpired(live, over) {
  const gone = new Set(over.filter(isUnread).map((entry) => entry.dataset.entry));
  for (const entry of over) {
    removeToast(entry.dataset.entry);
    remove(entry);
  }
  if (unread < MOST_COUNTED) showUnread(unread - gone.size);
  closePopups();
  askInAWhile(live);
}

/** All who hold the same card, or who come back in a crowd, ask for the count, not all at once. */
const askInAWhile = (live, after = 0) => setTimeout(() => live.askUnread(), after + Math.random() * ASK_WITHIN);

/** Let the service worker close the popups of what is over: see `closeOver` there. */
async function closePopups() {
  const registration = await navigator.serviceWorker?.getRegistration();
  registration?.active?.postMessage({ type: "close-over" });
}

// --- What the viewer says --------------------------------------------------------------------------------------------
const WORDS_OF_FAILURE = "That was not kept: there is no connection. Try again in a moment.";

/** Say something of one notification, shown at once; taken back where it could not be kept. */
async function say(act, id, paint, unpaint) {
  const entries = entriesOf(id);
  const before = unread;
  entries.forEach(paint);
  const answer = await post(`/notifications/${act}/`, [["ids", id]]).catch(() => null);
  if (answer?.ok) return;
  entries.forEach(unpaint);
  showUnread(before);
  for (const entry of entries) entry.querySelector(".entry__reason").textContent = WORDS_OF_FAILURE;
}

function read(id) {
  if (entriesOf(id).some(isUnread)) showUnread(unread - 1);
  removeToast(id);
  say("read", id, (entry) => setUnread(entry, false), (entry) => setUnread(entry, true));
}

function markUnread(id) {
  showUnread(unread + 1);
  say("unread", id, (entry) => setUnread(entry, true), (entry) => setUnread(entry, false));
}

function dismiss(id) {
  if (entriesOf(id).some(isUnread)) showUnread(unread - 1);
  removeToast(id);
  say("dismiss", id, fold, unfold);
}

function restore(id) {
  if (entriesOf(id).some(isUnread)) showUnread(unread + 1);
  say("restore", id, unfold, fold);
}

function act(button) {
  const entry = button.closest(".entry");
  const id = entry.dataset.entry;
  switch (button.dataset.act) {
    case "toggle":
      (isUnread(entry) ? read : markUnread)(id);
      break;
    case "dismiss":
      dismiss(id);
      entry.querySelector('[data-act="restore"]').focus();
      break;
    case "restore":
      restore(id);
      entry.querySelector('[data-part="title"]').focus();
  }
}

/** A link to what a notification tells of was followed, on an entry or a toast, in this window or another. */
function followLink(element) {
  const card = element.closest('a[data-part="title"], a[data-part="action"]')?.closest("[data-entry], [data-toast]");
  const id = card?.dataset.entry || card?.dataset.toast;
  if (!id) return;
  post(`/notifications/${id}/opened/`);
  if (card.dataset.toast || isUnread(card)) read(id);
}

function readAll() {
  const positions = {};
  for (const element of document.querySelectorAll("[data-positions]")) {
    for (const [topic, seq] of Object.entries(JSON.parse(element.dataset.positions))) {
      positions[topic] = Math.max(seq, positions[topic] ?? 0);
    }
  }
  for (const entry of allEntries()) setUnread(entry, false);
  showUnread(0);
  post(READ_URL, [["positions", JSON.stringify(positions)]]);
}

function listenToReader() {
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-read-all]")) readAll();
    const button = event.target.closest(".entry [data-act]");
    if (button) act(button);
  });
  for (const click of ["click", "auxclick"]) document.addEventListener(click, (event) => event.button < 2 && followLink(event.target));
}

function listenToEyes(seen) {
  const page = document.querySelector(".inbox[data-entries]");
  if (page) seen.list(page);
  page?.addEventListener("htmx:afterSettle", () => seen.list(page));
  document.addEventListener("toggle", (event) => event.target.id === "drawer" && event.newState === "open" && seen.list(event.target), true);
}

/** What a list loads anew takes the place of what has the focus: it goes to the same card again. */
function keepFocus(list) {
  let card = null;
  list.addEventListener("htmx:beforeSwap", (event) => {
    card = event.target === list && list.contains(document.activeElement) ? document.activeElement.closest("[data-entry]")?.dataset.entry : null;
  });
  list.addEventListener("htmx:afterSettle", (event) => event.target === list && card && list.querySelector(`[data-entry="${card}"] a`)?.focus());
}

// --- The connection --------------------------------------------------------------------------------------------------
const RETRY = 3000; // milliseconds

function startBell(bell, live, expiry) {
  bell.addEventListener("htmx:beforeSwap", () => {
    bell.dataset.wasOpen = String(bell.querySelector("#drawer")?.matches(":popover-open") ?? false);
  });
  bell.addEventListener("htmx:afterSettle", (event) => {
    if (event.target !== bell) return;
    const drawer = bell.querySelector("#drawer");
    if (bell.dataset.wasOpen === "true") drawer.showPopover();
    standing.forget();
    showUnread(Number(drawer.dataset.unread));
    expiry.learn(Number(drawer.dataset.now));
    live.resume(drawer.dataset.epoch, JSON.parse(drawer.dataset.positions));
  });
  for (const failure of ["htmx:responseError", "htmx:sendError"]) {
    bell.addEventListener(failure, () => setTimeout(() => window.htmx.trigger(bell, "reload"), RETRY * (1 + Math.random())));
  }
}

export function startInbox() {
  if (!("signedIn" in document.body.dataset)) return;
  const lists = document.querySelectorAll("#bell, .inbox[data-entries]");
  const live = new Live(`${location.origin.replace(/^http/, "ws")}/ws/live/`);
  const seen = new Seen(live);
  const expiry = new Expiry((over) => dropExpired(live, over));
  live.addEventListener("state", (event) => showState(event.detail));
  live.addEventListener("unread", (event) => (event.detail === null ? askInAWhile(live, CROWD_PASSES) : showUnread(event.detail)));
  live.addEventListener("notification", (event) => {
    showNotification(live, seen, event.detail);
    expiry.look();
  });
  live.addEventListener("read", (event) => showRead(event.detail));
  live.addEventListener("reset", () => lists.forEach((list) => window.htmx.trigger(list, "reload")));
  startBell(document.getElementById("bell"), live, expiry);
  lists.forEach(keepFocus);
  lists.forEach((list) => list.addEventListener("htmx:afterSettle", () => expiry.look()));
  listenToReader();
  listenToEyes(seen);
}
