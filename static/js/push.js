// Browser pushes: asks for the permission when somebody presses the button, and never before.
import { csrfToken } from "./page.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const SAYINGS = {
  unsupported: "This browser cannot be pushed to. On an iPhone, add the site to the home screen first.",
  denied: "You have forbidden notifications from this site. Allow them in the browser's settings for this site, then try again.",
  asking: "Your browser asks you now whether it may.",
  failed: "The browser's push service could not be reached. Nothing was changed; try again later.",
  refused: "That was not taken. Reload the page and try again.",
};

async function subscribe(button, say) {
  if (!("PushManager" in window) || !navigator.serviceWorker) return say("unsupported");
  say("asking");
  if ((await Notification.requestPermission()) !== "granted") return say("denied");
  const registration = await navigator.serviceWorker.ready;
  let subscription;
  try {
    subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(button.dataset.key) });
  } catch {
    return say("failed");
  }
  const { endpoint, keys } = subscription.toJSON();
  const body = new URLSearchParams({ address: endpoint, push_key: keys.p256dh, push_auth: keys.auth });
  const answer = await fetch(button.dataset.push, { method: "POST", body, headers: { "X-CSRFToken": csrfToken() } });
  if (!answer.ok) return say("refused");
  window.location.reload();
}

/** The button on the page of channels. */
export function startPush() {
  const button = document.querySelector("button[data-push]");
  if (!button) return;
  const status = document.getElementById("push-status");
  const say = (name) => {
    status.textContent = SAYINGS[name];
    button.disabled = false;
  };
  if (!("PushManager" in window)) say("unsupported");
  button.addEventListener("click", () => {
    button.disabled = true;
    subscribe(button, say).catch(() => say("failed"));
  });
}
