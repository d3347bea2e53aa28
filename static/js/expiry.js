// Cards leave the page at the moment at which they expire, by the server's clock, whatever the one of this machine says.

const LONGEST = 3_600_000; // milliseconds; a timer that is set for longer than 24 days goes off at once

export class Expiry {
  #drop;
  #ahead = 0; // milliseconds by which the server's clock is ahead of this one
  #timer = 0;

  /** `drop` is called with the entries that are over. */
  constructor(drop) {
    this.#drop = drop;
    document.addEventListener("visibilitychange", () => document.hidden || this.look());
  }

  /** Learn what time it is on the server, in seconds. */
  learn(seconds) {
    this.#ahead = seconds * 1000 - Date.now();
    this.look();
  }

  /** Drop what is over, and come back for what will be next. */
  look() {
    clearTimeout(this.#timer);
    const now = Date.now() + this.#ahead;
    const left = (entry) => Date.parse(entry.dataset.expires) - now;
    const expiring = [...document.querySelectorAll(".entry[data-expires]")];
    const over = expiring.filter((entry) => left(entry) <= 0);
    if (over.length) this.#drop(over);
    const next = Math.min(LONGEST, ...expiring.filter((entry) => left(entry) > 0).map(left));
    this.#timer = setTimeout(() => this.look(), next);
  }
}
