/**
 * Charts: <div class="zs-chart" data-zs-chart data-src="/…json"> or data-json="id of a JSON script".
 *
 * JSON: {unit, kind: "line"|"bar", series: [{name, unit?, points: [[time, value, quality?], …]}],
 *        limits: [{value, label, level?}], spans: [{from, until, label}]}; time is ISO 8601 or milliseconds;
 * value null is a gap; quality other than 0 is drawn hollow and named as not valid (quality_label, if given).
 * An empty chart says so, a failed one says so and offers to try again.
 */
import * as echarts from "echarts";
import { FONT, loadFont, token, word } from "zs/theme";

/** Draw the chart of one element; returns when it is on the page or its state is shown. */
export async function drawChart(element) {
  showState(element, word("chart_loading"));
  let data;
  try {
    data = await readData(element);
  } catch {
    showState(element, word("chart_failed"), () => drawChart(element));
    return null;
  }
  if (!data.series?.some((series) => series.points.some((point) => point[1] !== null))) {
    showState(element, word("chart_empty"));
    return null;
  }
  await loadFont();
  element.querySelector(".zs-state")?.remove();
  return render(element, data);
}

async function readData(element) {
  if (element.dataset.json) return JSON.parse(document.getElementById(element.dataset.json).textContent);
  const answer = await fetch(element.dataset.src, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

function showState(element, text, again) {
  element.querySelector(".zs-state")?.remove();
  const state = document.createElement("div");
  state.className = "zs-state";
  state.setAttribute("role", "status");
  state.append(text);
  if (again) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn";
    button.textContent = word("try_again");
    button.addEventListener("click", again);
    state.append(button);
  }
  element.append(state);
}

function render(element, data) {
  const canvas = element.querySelector(".zs-chart__draw") ?? element.appendChild(document.createElement("div"));
  canvas.className = "zs-chart__draw";
  const chart = echarts.getInstanceByDom(canvas) ?? echarts.init(canvas, null, { renderer: "canvas" });
  chart.setOption(buildOption(element, data), true);
  if (!element.dataset.watched) {
    element.dataset.watched = "yes";
    new ResizeObserver(() => chart.resize()).observe(element);
  }
  return chart;
}

/** The ECharts option for our JSON: colours and font from the tokens of the element's surroundings. */
export function buildOption(element, data) {
  const color = (name) => token(name, element);
  const size = parseFloat(getComputedStyle(element).fontSize) * 0.93;
  const text = { fontFamily: FONT, fontSize: size, color: color("ink-quiet") };
  return {
    animation: false,
    useUTC: true,
    textStyle: text,
    color: [1, 2, 3, 4, 5].map((index) => color(`series-${index}`)),
    aria: { enabled: true },
    grid: { left: 8, right: 16, top: data.series.length > 1 ? 56 : 36, bottom: 8, containLabel: true },
    legend: { show: data.series.length > 1, top: 0, left: 0, icon: "roundRect", itemWidth: 14, itemHeight: 4, textStyle: text },
    tooltip: {
      trigger: "axis", renderMode: "richText", confine: true, textStyle: { ...text, color: color("ink") },
      backgroundColor: color("surface"), borderColor: color("line"), axisPointer: { lineStyle: { color: color("line-strong") } },
      valueFormatter: (value) => (value === null || value === undefined ? "–" : `${value} ${data.unit ?? ""}`),
    },
    xAxis: { type: "time", axisLabel: { ...text, hideOverlap: true }, axisLine: { lineStyle: { color: color("line") } }, axisTick: { show: false } },
    yAxis: {
      type: "value", scale: data.kind !== "bar", name: data.unit ?? "", nameTextStyle: { ...text, align: "left" }, axisLabel: text,
      splitLine: { lineStyle: { color: color("line") } }, max: room(data),
    },
    series: [...data.series.map((series, index) => buildSeries(series, index, data, color, text)), ...data.series.flatMap((series, index) => buildMarks(series, index, color))],
  };
}

/** Room above the data for limits that lie higher; undefined leaves the axis to the data. */
function room(data) {
  const limit = Math.max(...(data.limits ?? []).map((each) => each.value), -Infinity);
  const top = Math.max(...data.series.flatMap((series) => series.points.map((point) => point[1] ?? -Infinity)));
  return limit > top ? Math.ceil(limit * 1.1) : undefined;
}

/** Milliseconds moved so that the axis, which counts in UTC, shows the civil time of the city (data-zone of <html>). */
export function civil(time) {
  const at = typeof time === "number" ? time : Date.parse(time);
  const day = Math.floor(at / 86400000);
  if (!offsets.has(day)) {
    const parts = Object.fromEntries(clock.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    offsets.set(day, Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour % 24, parts.minute, parts.second) - Math.floor(at / 1000) * 1000);
  }
  return at + offsets.get(day);
}
const offsets = new Map();
const clock = new Intl.DateTimeFormat("en-US", {
  timeZone: document.documentElement.dataset.zone || undefined, hourCycle: "h23",
  year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric",
});

function buildSeries(series, index, data, color, text) {
  return {
    name: series.name, type: data.kind === "bar" ? "bar" : "line", showSymbol: false, connectNulls: false,
    lineStyle: { width: 2 }, data: series.points.map(([at, value]) => [civil(at), value]), z: 3,
    markLine: index === 0 && data.limits?.length ? {
      silent: true, symbol: "none",
      data: data.limits.map((limit) => ({
        yAxis: limit.value, lineStyle: { color: color(limit.level ? `level-${limit.level}` : "line-strong"), type: "dashed", width: 1.5 },
        label: { ...text, color: color("ink"), textBorderColor: color("surface"), textBorderWidth: 4, formatter: `${limit.label} ${limit.value}`, position: "insideEndTop" },
      })),
    } : undefined,
    markArea: index === 0 && data.spans?.length ? {
      silent: true, itemStyle: { color: color("ink-quiet"), opacity: 0.1 }, label: { ...text, position: "insideTop" },
      data: data.spans.map((span) => [{ xAxis: civil(span.from), name: span.label }, { xAxis: civil(span.until) }]),
    } : undefined,
  };
}

function buildMarks(series, index, color) {
  const flagged = series.points.filter((point) => point[1] !== null && point[2]);
  if (!flagged.length) return [];
  return [{
    name: `${series.name} · ${word("not_valid")}`, type: "scatter", symbolSize: 8, z: 4,
    itemStyle: { color: color("surface"), borderColor: color(`series-${(index % 5) + 1}`), borderWidth: 2 },
    data: flagged.map(([at, value]) => [civil(at), value]),
  }];
}

export function drawAll(root = document) {
  root.querySelectorAll("[data-zs-chart]").forEach((element) => drawChart(element));
}

drawAll();
document.addEventListener("htmx:after:swap", (event) => { if (event.target?.querySelector?.("[data-zs-chart]")) drawAll(event.target); });
