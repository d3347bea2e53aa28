// Tells the server which cards were before the viewer's eyes: those that came live by their positions, those of a loaded
// list by their ids. Nothing is said while nobody looks at the window, or while there is no connection.

const GATHER = 300; // milliseconds; cards that come together are told together
const MOST_IDS = 200;

export class Seen {
  #live;
  #positions = {};
  #ids = new Set();
  #told = new Set();
  #timer = 0;

  constructor(live) {
    this.#live = live;
    document.addEventListener("visibilitychange", () => this.#soon());
    live.addEventListener("state", (event) => event.detail === "connected" && this.#soon());
  }

  /** A card that came live is on screen. */
  card(positions) {
    for (const [topic, seq] of Object.entries(positions)) this.#positions[topic] = Math.max(seq, this.#positions[topic] ?? 0);
    this.#soon();
  }

  /** The cards below `root`, which came with the page, are on screen. */
  list(root) {
    for (const { dataset } of root.querySelectorAll("[data-entry]")) {
      if (dataset.entry && !this.#told.has(dataset.entry)) this.#ids.add(dataset.entry);
    }
    this.#soon();
  }

  #soon() {
    this.#timer ||= setTimeout(() => this.#tell(), GATHER);
  }

  #tell() {
    this.#timer = 0;
    const ids = [...this.#ids].slice(0, MOST_IDS);
    const isSomething = ids.length > 0 || Object.keys(this.#positions).length > 0;
    if (document.hidden || !isSomething || !this.#live.ack(this.#positions, ids.map(Number))) return;
    for (const id of ids) {
      this.#told.add(id);
      this.#ids.delete(id);
    }
    this.#positions = {};
    if (this.#ids.size) this.#soon();
  }
}
