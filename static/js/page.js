// What a page may show of a server's answer: the CSRF token, a template's copy, a moment in words.

export const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content ?? "";

/** Send a form's worth of values; `keepalive` lets it outlive the page, as when a link is followed. */
export function post(url, values = []) {
  const body = new URLSearchParams(values);
  return fetch(url, { method: "POST", body, keepalive: true, headers: { "X-CSRFToken": csrfToken() } });
}

/** A copy of the first element in `<template id>`. */
export function fromTemplate(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Put `text` into the part of `root` that is marked `data-part="name"`; an empty text hides the part. */
export function fill(root, name, text) {
  const part = root.querySelector(`[data-part="${name}"]`);
  if (!part) return null;
  part.textContent = text ?? "";
  part.hidden = !text;
  return part;
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "5 minutes ago", "in 2 hours"; more than a week away it is a date. */
export function inWords(moment, now = Date.now()) {
  const seconds = (moment.getTime() - now) / 1000;
  if (Math.abs(seconds) > 7 * 86400) return moment.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "just now";
}

/** Rewrite each `<time data-relative>` below `root`. */
export function refreshTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-relative]")) {
    element.textContent = inWords(new Date(element.dateTime));
  }
}
