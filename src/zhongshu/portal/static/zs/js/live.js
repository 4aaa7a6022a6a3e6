/**
 * Live streams: an EventSource that says how it is.
 *
 * States: "connecting", "live", "stale" (no message for longer than staleAfter), "lost" (connection gone, trying
 * again), "ended" (the server closed it for good: signed out or rights withdrawn; nothing is tried again).
 * The browser itself sends Last-Event-ID when it reconnects; after a refused connection we open a new one, with
 * the id as ?last_event_id=. A "status" event {now, delay_s} should come at least every ten seconds.
 */
import { word } from "zs/theme";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30000;

export class Live {
  /** events: {name: (data, id) => void}; onState: (state, {delay, age}) => void; times in seconds. */
  constructor(url, { events = {}, onState = () => {}, staleAfter = 30 } = {}) {
    Object.assign(this, { url, events, onState, staleAfter });
    this.lastId = "";
    this.wait = FIRST_WAIT;
    this.heardAt = Date.now();
    this.delay = null;
    this.state = "connecting";
    this.open();
    this.timer = setInterval(() => this.look(), 1000);
    window.addEventListener("pagehide", () => this.close(), { once: true });
  }

  open() {
    const url = new URL(this.url, location.href);
    if (this.lastId) url.searchParams.set("last_event_id", this.lastId);
    this.source = new EventSource(url);
    this.source.addEventListener("open", () => { this.wait = FIRST_WAIT; this.hear(); });
    this.source.addEventListener("error", () => this.onError());
    this.source.addEventListener("end", () => { this.close(); this.show("ended"); });
    this.source.addEventListener("status", (event) => { this.delay = read(event)?.delay_s ?? null; });
    for (const name of new Set([...Object.keys(this.events), "status"])) {
      this.source.addEventListener(name, (event) => this.take(name, event));
    }
  }

  take(name, event) {
    if (event.lastEventId) this.lastId = event.lastEventId;
    this.hear();
    const data = read(event);
    if (data !== null) this.events[name]?.(data, event.lastEventId);
  }

  hear() {
    this.heardAt = Date.now();
    this.show("live");
  }

  onError() {
    if (this.state === "ended") return;
    this.show("lost");
    if (this.source.readyState !== EventSource.CLOSED || this.retry) return;
    const pause = this.wait * (0.5 + Math.random());
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT);
    this.retry = setTimeout(() => { this.retry = null; this.open(); }, pause);
  }

  look() {
    if (this.state === "live" && Date.now() - this.heardAt > this.staleAfter * 1000) this.show("stale");
    else this.show(this.state);
  }

  show(state) {
    this.state = state;
    this.onState(state, { delay: this.delay, age: Math.round((Date.now() - this.heardAt) / 1000) });
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.retry);
    this.source.close();
  }
}

/** The event's JSON, or null (and a warning on the console) when it is none. */
function read(event) {
  try {
    return JSON.parse(event.data);
  } catch {
    console.warn("live: event without JSON", event.type);
    return null;
  }
}

/** Show a state in words in an element with class zs-live. */
export function showState(element, state, { delay, age }) {
  if (!element) return;
  element.dataset.state = state;
  const text = state === "live" && delay !== null ? word("live_delay", { seconds: Math.max(0, delay).toFixed(delay < 10 ? 1 : 0) })
    : word(`live_${state}`, { seconds: age });
  const target = element.querySelector("span") ?? element;
  if (target.textContent !== text) target.textContent = text;
}
