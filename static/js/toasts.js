// The stack of toasts. The time of all of them stands still while one is pointed at, has the focus, or nobody looks.
import { fill, fromTemplate } from "./page.js";

const SHOWN_FOR = 9000; // milliseconds
const AT_ONCE = 3;
const TICK = 250;

const leaving = new Map(); // toast → milliseconds left

function dismiss(toast) {
  leaving.delete(toast);
  toast.classList.add("is-leaving");
  setTimeout(() => toast.remove(), 260);
}

function tick() {
  const stack = document.getElementById("toasts");
  if (document.hidden || stack.matches(":hover, :focus-within")) return;
  for (const [toast, left] of leaving) {
    if (left <= TICK) dismiss(toast);
    else leaving.set(toast, left - TICK);
  }
}

/** Show `notification`. An earlier toast of the same is replaced. */
export function showToast(notification) {
  const stack = document.getElementById("toasts");
  removeToast(notification.id);
  const toast = fromTemplate("toast-template");
  toast.dataset.toast = notification.id;
  fill(toast, "title", notification.title);
  fill(toast, "studio", notification.studio);
  fill(toast, "category", notification.category);
  toast.querySelector('[data-part="live"]').hidden = notification.kind !== "live_event";
  const image = toast.querySelector('[data-part="image"]');
  if (notification.image) image.src = notification.image;
  else image.removeAttribute("src");
  const action = toast.querySelector('[data-part="action"]');
  action.href = notification.url;
  action.setAttribute("aria-label", `Watch ${notification.title}`);
  toast.querySelector('[data-part="close"]').addEventListener("click", () => dismiss(toast));
  stack.append(toast);
  leaving.set(toast, SHOWN_FOR);
  if (leaving.size > AT_ONCE) dismiss(leaving.keys().next().value);
}

/** Take a toast away: read elsewhere, or recalled. */
export function removeToast(id) {
  for (const toast of [...leaving.keys()]) if (toast.dataset.toast === String(id)) dismiss(toast);
}

setInterval(tick, TICK);
