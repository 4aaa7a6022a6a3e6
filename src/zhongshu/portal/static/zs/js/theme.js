/** Design tokens for code that draws: reads tokens.css through computed style, never repeats a colour. */

export const FONT = "Noto Sans SC Variable";

/** The value of a token as a colour string that canvas and MapLibre understand. */
export function token(name, element = document.documentElement) {
  return getComputedStyle(element).getPropertyValue(`--zs-${name}`).trim();
}

/** AQI category 1-6 of an index value; 0 when there is none (HJ 633-2012 and -2026, table 2). */
export function aqiLevel(value) {
  if (value === null || value === undefined || Number.isNaN(Number(value))) return 0;
  const limits = [50, 100, 150, 200, 300];
  const at = limits.findIndex((limit) => Number(value) <= limit);
  return at === -1 ? 6 : at + 1;
}

/** MapLibre speaks CSS Color 3: rewrite "rgb(0 228 0)" as "rgb(0,228,0)". */
export function mapColor(name, element) {
  return token(name, element).replace(/rgb\((\d+) (\d+) (\d+)\)/, "rgb($1,$2,$3)");
}

/** Load the page's font before something is drawn with it; text decides which subsets are fetched. */
export async function loadFont(text = "市 0") {
  await Promise.all([400, 600].map((weight) => document.fonts.load(`${weight} 20px "${FONT}"`, text)));
}

/** Words of the interface that scripts show; the page gives them as JSON in #zs-words, translated. */
export function word(key, values = {}) {
  words ??= JSON.parse(document.getElementById("zs-words")?.textContent || "{}");
  const text = words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
let words = null;
