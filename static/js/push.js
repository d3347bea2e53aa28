// Browser pushes on and off: asks for the permission when somebody turns the switch, and never before.
import { post } from "./page.js";

const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

const SAYINGS = {
  unsupported: "This browser cannot be pushed to. On an iPhone, add the site to the home screen first.",
  denied: "You have forbidden notifications from this site. Allow them in the browser's settings for this site, then turn this on.",
  asking: "Your browser asks you now whether it may.",
  dismissed: "Your browser was not allowed to. Turn this on again to be asked once more.",
  failed: "The browser's push service could not be reached. Nothing was changed; try again later.",
  refused: "That was not taken. Reload the page and try again.",
  on: "This browser rings, also while the site is closed.",
};

const supported = () => "PushManager" in window && "Notification" in window && Boolean(navigator.serviceWorker);
const present = async () => (await navigator.serviceWorker.ready).pushManager.getSubscription();

/** Subscribe this browser and tell the platform; the name of what happened. */
async function turnOn(toggle, say) {
  say("asking");
  const permission = await Notification.requestPermission();
  if (permission !== "granted") return permission === "denied" ? "denied" : "dismissed";
  const registration = await navigator.serviceWorker.ready;
  let subscription;
  try {
    subscription = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(toggle.dataset.key) });
  } catch {
    return "failed";
  }
  const { endpoint, keys } = subscription.toJSON();
  const answer = await post(toggle.dataset.push, { address: endpoint, push_key: keys.p256dh, push_auth: keys.auth });
  if (answer.ok) return "on";
  await subscription.unsubscribe();
  return "refused";
}

/** End this browser's subscription, at the platform first: what is sent meanwhile would reach nobody. */
async function turnOff(toggle) {
  const subscription = await present();
  if (!subscription) return "off";
  const answer = await post(toggle.dataset.pushOff, { address: subscription.endpoint });
  if (!answer.ok) return "refused";
  await subscription.unsubscribe();
  return "off";
}

/** The switch on the page of preferences. */
export async function startPush() {
  const toggle = document.querySelector("input[data-push]");
  if (!toggle) return;
  const status = document.getElementById("push-status");
  const say = (name) => {
    status.textContent = SAYINGS[name] ?? status.textContent;
  };
  if (!supported()) {
    toggle.disabled = true;
    return say("unsupported");
  }
  if (Notification.permission === "denied") say("denied");
  toggle.addEventListener("change", async () => {
    toggle.disabled = true;
    const wanted = toggle.checked;
    const happened = await (wanted ? turnOn(toggle, say) : turnOff(toggle)).catch(() => "failed");
    toggle.disabled = false;
    toggle.checked = happened === "on" || (happened !== "off" && !wanted);
    say(happened);
    if (happened === "on" || happened === "off") window.location.reload();
  });
  if (Notification.permission === "granted" && (await present())) {
    toggle.checked = true;
    say("on");
  }
}
