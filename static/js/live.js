// The client of the live protocol (docs/live-protocol.md). It knows frames, not pages: it tells by events.
//
//   state         detail: "connecting" | "connected" | "reconnecting" | "offline" | "signed-out"
//   notification  detail: the frame, once for each revision; `counted` is true where `unread` holds it
//   read          detail: the frame
//   unread        detail: a count, or null: a crowd has come back, ask for it in a while
//   reset         the list must be loaded again; then call `resume` with what it carries

const FIRST_WAIT = 500; // milliseconds
const LONGEST_WAIT = 30_000;
const SIGNED_OUT = 4401;
const RESTARTING = 1012;
const RETRY_AFTER = /^retry after (\d{1,3}(?:\.\d)?)$/; // seconds

/** Full jitter: anything up to the exponential bound, so that a crowd does not come back at once. */
export const backoff = (attempt, random = Math.random) => random() * Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);

export class Live extends EventTarget {
  #url;
  #socket = null;
  #epoch = null;
  #positions = {};
  #revisions = new Map();
  #attempt = 0;
  #retry = 0;
  #silence = 0;
  #heartbeat = 25;
  #state = "";
  #isCounted = false; // whether a count was told that holds what comes: what was missed, until the ping that ends it

  constructor(url) {
    super();
    this.#url = url;
    addEventListener("online", () => this.#connectSoon(0));
    addEventListener("offline", () => this.#lose("offline"));
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#hurry());
  }

  /** Go on from what the page holds: at the start, and again after each reset. */
  resume(epoch, positions) {
    this.#epoch = epoch;
    this.#positions = { ...positions };
    if (this.#socket?.readyState === WebSocket.OPEN) this.#sendResume();
    else if (!this.#socket) this.#connect();
  }

  /** Say what was shown: of what came live, all up to `positions`; of a list, `ids`. False while not connected. */
  ack(positions, ids) {
    return this.#state === "connected" && this.#send({ type: "ack", positions, ids });
  }

  /** Ask how many are unread. */
  askUnread() {
    this.#send({ type: "read" });
  }

  #connect() {
    clearTimeout(this.#retry);
    if (!navigator.onLine) {
      this.#tellState("offline");
      return;
    }
    this.#tellState(this.#attempt ? "reconnecting" : "connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#sendResume();
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => this.#socket === socket && this.#closed(event.code, event.reason);
  }

  #closed(code, reason) {
    this.#socket = null;
    clearTimeout(this.#silence);
    if (code === SIGNED_OUT) {
      this.#tellState("signed-out");
      return;
    }
    this.#attempt += 1;
    this.#tellState(navigator.onLine ? "reconnecting" : "offline");
    const told = code === RESTARTING ? RETRY_AFTER.exec(reason) : null;
    this.#connectSoon(told ? Number(told[1]) * 1000 : backoff(this.#attempt));
  }

  #connectSoon(wait) {
    clearTimeout(this.#retry);
    if (this.#epoch !== null && !this.#socket) this.#retry = setTimeout(() => this.#connect(), wait);
  }

  #hurry() {
    if (this.#state === "reconnecting") this.#connectSoon(backoff(0));
  }

  /** Drop a connection that is dead without having said so. */
  #lose(state) {
    const socket = this.#socket;
    this.#socket = null;
    clearTimeout(this.#silence);
    socket?.close();
    this.#tellState(state);
    if (state === "reconnecting") this.#connectSoon(backoff(++this.#attempt));
  }

  #sendResume() {
    this.#send({ type: "resume", epoch: this.#epoch, positions: this.#positions });
    this.#expectFrame();
  }

  #expectFrame() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lose("reconnecting"), this.#heartbeat * 2500);
  }

  #send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #receive(frame) {
    this.#expectFrame();
    if (frame.type === "notification" || frame.type === "ping") this.#advance(frame.positions);
    switch (frame.type) {
      case "welcome":
        this.#positions = { ...frame.positions };
        this.#attempt = 0;
        this.#epoch = frame.epoch;
        this.#heartbeat = frame.heartbeat;
        this.#isCounted = frame.unread !== null;
        this.#tellState("connected");
        this.#tell("unread", frame.unread);
        break;
      case "notification":
        if ((this.#revisions.get(frame.id) ?? 0) >= frame.revision) return;
        this.#revisions.set(frame.id, frame.revision);
        this.#tell("notification", { ...frame, counted: this.#isCounted });
        break;
      case "ping":
        this.#isCounted = false;
        this.#send({ type: "pong" });
        break;
      case "read":
        this.#tell("read", frame);
        break;
      case "reset":
        this.#tell("reset", frame.reason);
        break;
      case "error":
        console.warn(`The live connection refused a frame: ${frame.code}: ${frame.detail}`);
    }
  }

  /** A frame names every topic of its notification; those that this viewer does not follow are none of ours. */
  #advance(positions) {
    for (const [topic, seq] of Object.entries(positions)) {
      if (seq > this.#positions[topic]) this.#positions[topic] = seq;
    }
  }

  #tellState(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell("state", state);
  }

  #tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
