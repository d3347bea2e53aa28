// The cards in the drawer and on the inbox page: drawn from frames, put into the state that they are in, taken away.
import { fill, fromTemplate, inWords } from "./page.js";

export const entriesOf = (id) => [...document.querySelectorAll(`[data-entry="${id}"]`)];
export const allEntries = () => [...document.querySelectorAll(".entry[data-positions]")];
export const isUnread = (entry) => entry.classList.contains("is-unread");
const isDismissed = (entry) => entry.classList.contains("is-dismissed");

/** What an entry shows, as a frame says it. */
export const factsOf = ({ dataset }) => ({
  id: dataset.entry,
  revision: Number(dataset.revision),
  positions: JSON.parse(dataset.positions),
});

export function setUnread(entry, unread) {
  entry.classList.toggle("is-unread", unread);
  const toggle = entry.querySelector('[data-act="toggle"]');
  toggle.title = unread ? "Mark as read" : "Mark as unread";
  toggle.setAttribute("aria-label", toggle.title);
}

function draw(entry, notification, unread) {
  entry.dataset.entry = notification.id;
  entry.dataset.revision = notification.revision;
  entry.dataset.positions = JSON.stringify(notification.positions);
  if (notification.expires_at) entry.dataset.expires = notification.expires_at;
  else delete entry.dataset.expires;
  entry.classList.toggle("is-recalled", notification.recalled);
  entry.classList.remove("is-dismissed");
  entry.classList.add("is-new");
  setUnread(entry, unread);
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

function insert(list, notification, unread) {
  list.querySelector("[data-empty]")?.remove();
  let day = list.querySelector(".day");
  if (day?.textContent !== "Today") {
    day = document.createElement("h3");
    day.className = "day";
    day.textContent = "Today";
    list.prepend(day);
  }
  const entry = fromTemplate("entry-template");
  draw(entry, notification, unread);
  day.after(entry);
}

/** Show a notification in every list: its card there changes, or it is a new one. */
export function show(notification, unread) {
  for (const entry of entriesOf(notification.id)) draw(entry, notification, unread);
  for (const list of document.querySelectorAll("[data-entries]")) {
    if (!list.querySelector(`[data-entry="${notification.id}"]`)) insert(list, notification, unread);
  }
}

/** Take a card away. A list in which none is left asks for what comes after them, or says that there is nothing. */
export function remove(entry) {
  const list = entry.closest("[data-entries]");
  const day = entry.previousElementSibling;
  entry.remove();
  if (day?.matches(".day") && !day.nextElementSibling?.matches(".entry")) day.remove();
  if (!list.querySelector(".entry")) window.htmx.trigger(list.closest("[hx-get]"), "reload");
}

/** Fold a card away that is dismissed here: only the last one can be taken back. */
export function fold(entry) {
  const { id } = factsOf(entry);
  allEntries().filter((other) => isDismissed(other) && other.dataset.entry !== id).forEach(remove);
  entry.classList.add("is-dismissed");
}

export function unfold(entry) {
  entry.classList.remove("is-dismissed");
}

/** Take a card away that was dismissed somewhere; one that was so here keeps its way back. */
export function drop(entry) {
  if (!isDismissed(entry)) remove(entry);
}
