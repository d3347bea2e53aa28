// The countdown to a live event; at zero the page says so and offers to join.

const parts = (seconds) => ({
  days: Math.floor(seconds / 86400),
  hours: Math.floor(seconds / 3600) % 24,
  minutes: Math.floor(seconds / 60) % 60,
  seconds: Math.floor(seconds) % 60,
});

function startCountdown(element) {
  const until = Date.parse(element.dataset.until);
  const tick = () => {
    const left = (until - Date.now()) / 1000;
    if (left <= 0) {
      clearInterval(timer);
      element.hidden = true;
      document.querySelector("[data-countdown-over]")?.removeAttribute("hidden");
      return;
    }
    for (const [name, value] of Object.entries(parts(left))) {
      element.querySelector(`[data-unit="${name}"]`).textContent = String(value).padStart(2, "0");
    }
  };
  const timer = setInterval(tick, 1000);
  tick();
}

export function startCountdowns() {
  for (const element of document.querySelectorAll("[data-until]")) startCountdown(element);
}
