// What was told of what the viewer has read, marked as unread or dismissed; so that a card that comes late, after the
// news of it, is shown as what it is by now.

export class Standing {
  #items = new Map(); // id → { state, revision }
  #marks = {}; // topic → the seq up to which all is read

  /** Take in a `read` frame. */
  learn({ states, positions }) {
    for (const [state, revisions] of Object.entries(states)) {
      for (const [id, revision] of Object.entries(revisions)) this.#items.set(id, { state, revision });
    }
    for (const [topic, seq] of Object.entries(positions)) this.#marks[topic] = Math.max(seq, this.#marks[topic] ?? 0);
  }

  /** Forget it all: a list was loaded that holds what there is to know. */
  forget() {
    this.#items.clear();
    this.#marks = {};
  }

  /** "read", "unread" or "dismissed", as was told of a card at its revision; null when nothing was. */
  of({ id, revision, positions }) {
    const said = this.#items.get(String(id));
    if (said && said.revision >= revision) return said.state;
    return Object.entries(positions).some(([topic, seq]) => seq <= (this.#marks[topic] ?? -1)) ? "read" : null;
  }
}
