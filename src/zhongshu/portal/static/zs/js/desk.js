/** The desk: htmx set-up, keyboard, menus and dialogs. Pages work without it; it makes them quicker. */
import htmx from "htmx";
import { Live, showState } from "zs/live";
import "zs/reltime";

window.htmx = htmx;

const token = document.querySelector('meta[name="csrf-token"]')?.content;

/* Only our own origin is asked (htmx's default mode), and what is swapped in brings no scripts: no nonce is handed on. */
document.addEventListener("htmx:config:request", (event) => {
  const { request } = event.detail.ctx;
  if (token && !["GET", "HEAD", "OPTIONS"].includes(request.method)) request.headers["X-CSRFToken"] = token;
});

/* Keyboard: / search · j k rows · Enter open · e edit · ? help · Escape back */
const rows = () => [...document.querySelectorAll("tbody tr[data-url]")];

function isTyping(target) {
  return target.closest?.("input, textarea, select, [contenteditable]") !== null;
}

function step(by) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.classList.contains("zs-here"));
  const next = all[Math.min(Math.max(at + by, 0), all.length - 1)];
  all.forEach((row) => row.classList.remove("zs-here"));
  next.classList.add("zs-here");
  next.querySelector("a")?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const KEYS = {
  "/": () => document.getElementById("zs-search")?.focus(),
  j: () => step(1),
  k: () => step(-1),
  e: () => document.querySelector("[data-zs-key=edit]")?.click(),
  "?": () => document.getElementById("zs-help")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    document.querySelectorAll("details.zs-menu[open]").forEach((menu) => { menu.open = false; menu.querySelector("summary").focus(); });
    if (isTyping(event.target)) event.target.blur();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
  const action = KEYS[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});

document.addEventListener("click", (event) => {
  document.querySelectorAll("details.zs-menu[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  if (event.target.closest("[data-zs-dismiss]")) event.target.closest(".zs-note")?.remove();
  if (event.target.closest("[data-zs-close]")) event.target.closest("dialog")?.close();
  const opener = event.target.closest("[data-zs-open]");
  if (opener) document.getElementById(opener.dataset.zsOpen)?.showModal();
});

/* A form is sent once */
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (button && event.target.method === "post" && !event.defaultPrevented) setTimeout(() => { button.disabled = true; });
});
window.addEventListener("pageshow", () => document.querySelectorAll("button[disabled][type=submit]").forEach((button) => { button.disabled = false; }));

/* Live: an event "changed" {topic} wakes every element with hx-trigger="zs:<topic> from:body"; "counts" sets numbers */
const sign = document.querySelector("[data-zs-live]");
if (sign?.dataset.zsLive) {
  new Live(sign.dataset.zsLive, {
    events: {
      changed: ({ topic }) => htmx.trigger(document.body, `zs:${topic}`),
      counts: (counts) => Object.entries(counts).forEach(([name, count]) => document.querySelectorAll(`[data-zs-count="${CSS.escape(name)}"]`).forEach((element) => { element.textContent = count; element.hidden = !count; })),
    },
    onState: (state, facts) => showState(sign, state, facts),
  });
}
