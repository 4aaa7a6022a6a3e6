/** Sparklines: <svg class="zs-spark" data-values="1,2,,4" data-target="3">, gaps where a value is missing. */

const SPACE = "http://www.w3.org/2000/svg";

/** SVG path commands of the line, one sub-path per run of values, in a box of 100 × 40. */
export function sparkPath(values, low, high) {
  const span = high - low || 1;
  let pen = "M";
  return values.map((value, index) => {
    if (value === null) { pen = "M"; return ""; }
    const x = values.length > 1 ? (index / (values.length - 1)) * 100 : 50;
    const step = `${pen}${x.toFixed(1)} ${(38 - ((value - low) / span) * 36).toFixed(1)}`;
    pen = "L";
    return step;
  }).join("");
}

/** Draw or redraw one sparkline from its data attributes. */
export function drawSpark(svg) {
  const values = (svg.dataset.values || "").split(",").map((text) => (text.trim() === "" ? null : Number(text)));
  const known = values.filter((value) => value !== null && Number.isFinite(value));
  svg.replaceChildren();
  if (known.length < 2) return;
  const target = svg.dataset.target ? Number(svg.dataset.target) : null;
  const low = Math.min(...known, ...(target === null ? [] : [target]));
  const high = Math.max(...known, ...(target === null ? [] : [target]));
  svg.setAttribute("viewBox", "0 0 100 40");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const line = sparkPath(values, low, high);
  if (!values.includes(null)) add(svg, "zs-spark__area", `${line}L100 40L0 40Z`);
  if (target !== null) add(svg, "zs-spark__target", sparkPath([target, target], low, high));
  add(svg, "zs-spark__line", line);
}

function add(svg, name, path) {
  const element = document.createElementNS(SPACE, "path");
  element.setAttribute("class", name);
  element.setAttribute("d", path);
  svg.append(element);
}

export function drawAll(root = document) {
  root.querySelectorAll("svg.zs-spark").forEach(drawSpark);
}

drawAll();
document.addEventListener("htmx:after:swap", () => drawAll());
