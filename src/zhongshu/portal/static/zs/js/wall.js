/**
 * The operation-centre screen: binds live events to the headline, the vital signs, the stream and the map.
 * The JSON of every event is described in docs/design.md. Rows are built from a <template>, text is set as text.
 */
import { Live, showState } from "zs/live";
import { maps } from "zs/map";
import { timeElement } from "zs/reltime";
import { drawSpark } from "zs/spark";
import { aqiLevel } from "zs/theme";

const screen = document.querySelector("[data-zs-wall]");
const list = screen.querySelector("[data-zs-stream]");
const rowTemplate = screen.querySelector("template[data-zs-row]");
const MOST_ROWS = 40;

function setText(root, name, text) {
  const element = root?.querySelector(`[data-zs="${name}"]`);
  if (element && text !== undefined && element.textContent !== String(text ?? "–")) element.textContent = text ?? "–";
}

function onHeadline({ aqi, level, category, primary }) {
  const head = screen.querySelector("[data-zs-headline]");
  setText(head, "aqi", aqi);
  setText(head, "primary", primary);
  const badge = head?.querySelector("[data-zs=category]");
  if (!badge) return;
  badge.textContent = category;
  badge.className = `zs-aqi zs-aqi--${level ?? aqiLevel(aqi)}`;
}

function onVitals({ items }) {
  for (const item of items) {
    const card = screen.querySelector(`[data-zs-vital="${CSS.escape(item.id)}"]`);
    if (!card) continue;
    setText(card, "value", item.text);
    setText(card, "delta", item.delta_text);
    setText(card, "target", item.target_text);
    if (item.band) card.dataset.band = item.band;
    if (item.band_text !== undefined) {
      setText(card, "band", item.band_text);
      const badge = card.querySelector("[data-zs=band]");
      badge.hidden = !item.band_text;
      badge.className = `zs-badge zs-badge--${BANDS[item.band] ?? "silent"}`;
    }
    const trend = card.querySelector("[data-zs-trend]");
    if (trend && item.trend) {
      trend.dataset.good = item.trend_good === undefined || item.trend_good === null ? "" : item.trend_good ? "yes" : "no";
      const use = trend.querySelector("use");
      use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${TRENDS[item.trend]}`));
    }
    const spark = card.querySelector("svg.zs-spark");
    if (spark && item.spark) {
      spark.dataset.values = item.spark.map((value) => value ?? "").join(",");
      drawSpark(spark);
    }
  }
}
const BANDS = { bad: "danger", watch: "warn" };
const TRENDS = { up: "trending-up", down: "trending-down", flat: "arrow-right" };

function buildRow(item) {
  const row = rowTemplate.content.firstElementChild.cloneNode(true);
  row.dataset.id = item.id;
  row.dataset.at = item.at;
  const link = row.querySelector("a");
  if (item.url?.startsWith("/")) link.href = item.url;
  row.querySelector(".zs-shape").className = `zs-shape zs-shape--${item.level ?? "none"}`;
  setText(row, "level", [item.level_label, item.state || item.kind_label].filter(Boolean).join(" · "));
  setText(row, "title", item.title);
  setText(row, "note", item.place ?? "");
  row.querySelector("[data-zs=at]").replaceChildren(timeElement(item.at));
  return row;
}

function onStream({ op, item, items, open_total: openTotal }) {
  if (op === "reset") {
    list.replaceChildren(...items.slice(0, MOST_ROWS).map(buildRow));
    onStreamEnd(openTotal);
    return;
  }
  if (item) onStreamItem(op, item);
  onStreamEnd(openTotal);
}

function onStreamItem(op, item) {
  const old = list.querySelector(`[data-id="${CSS.escape(item.id)}"]`);
  if (op === "remove") old?.remove();
  else {
    const row = buildRow(item);
    row.classList.add("wall-new");
    if (op === "change" && old) old.replaceWith(row);
    else { old?.remove(); list.prepend(row); }
    while (list.children.length > MOST_ROWS) list.lastElementChild.remove();
  }
}

function onStreamEnd(openTotal) {
  screen.querySelector("[data-zs-none]").hidden = list.children.length > 0;
  setText(screen, "open", openTotal);
}

function onStatus(status) {
  setText(screen, "things", status.things_text);
  setText(screen, "rate", status.rate_text);
}

function tick() {
  const locale = document.documentElement.lang;
  const zone = document.documentElement.dataset.zone || undefined;
  const now = new Date();
  setText(screen, "time", new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone }).format(now));
  setText(screen, "date", new Intl.DateTimeFormat(locale, { year: "numeric", month: "long", day: "numeric", weekday: "long", timeZone: zone }).format(now));
}

tick();
setInterval(tick, 1000);

if (screen.dataset.live) {
  const events = {
    headline: onHeadline, vitals: onVitals, stream: onStream, status: onStatus,
    map: (change) => maps.forEach((map) => map.apply(change)),
    reload: () => location.reload(),
  };
  const sign = screen.querySelector(".zs-live");
  const staleAfter = Number(screen.dataset.staleAfter || 30);
  const open = (url) => new Live(url, { events, staleAfter, onState: (state, facts) => { screen.dataset.state = state; showState(sign, state, facts); } });
  let live = open(screen.dataset.live);
  // Going into a division on the map takes figures and stream along, and the address, so that it can be sent to somebody.
  document.addEventListener("zs:drill", ({ detail }) => {
    const url = new URL(screen.dataset.live, location.href);
    url.searchParams.set("division", detail.uid);
    live.close();
    live = open(url.href);
    if (screen.dataset.page) history.pushState(null, "", screen.dataset.page.replace("{uid}", detail.uid) + location.search);
  });
  window.addEventListener("popstate", () => location.reload());
}
