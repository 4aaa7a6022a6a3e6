/** Relative times: <time datetime="…" data-zs-time> shows "3 minutes ago", its title the exact time. */

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
const locale = document.documentElement.lang || "zh-Hans";
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const seconds = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const zone = document.documentElement.dataset.zone || undefined;
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium", timeZone: zone });

/** Words for the time between an instant and now; both are milliseconds. */
export function formatRelative(at, now = Date.now()) {
  const passed = (at - now) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(passed) >= size) return relative.format(Math.trunc(passed / size), unit);
  }
  return seconds.format(0, "second");
}

/** The exact civil time in the city's zone (data-zone of <html>). */
export function formatExact(at) {
  return exact.format(at);
}

/** Rewrite every marked time below root. */
export function refresh(root = document) {
  const now = Date.now();
  for (const element of root.querySelectorAll("time[data-zs-time]")) {
    const at = Date.parse(element.dateTime);
    if (Number.isNaN(at)) continue;
    const text = formatRelative(at, now);
    if (element.textContent !== text) element.textContent = text;
    element.title = formatExact(at);
  }
}

/** A marked <time> element for an ISO instant. */
export function timeElement(iso) {
  const element = document.createElement("time");
  element.dateTime = iso;
  element.dataset.zsTime = "";
  refresh({ querySelectorAll: () => [element] });
  return element;
}

refresh();
setInterval(refresh, 20000);
document.addEventListener("htmx:after:swap", () => refresh());
