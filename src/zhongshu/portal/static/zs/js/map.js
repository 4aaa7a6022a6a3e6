/**
 * Maps: <div class="zs-map" data-zs-map …> drawn by MapLibre with a style without glyphs (text uses the page's font).
 *
 * data-bounds="west,south,east,north"       first view
 * data-divisions="/…/{uid}/children.geojson" polygons of the children of a division; properties uid, name, level,
 *                                            value (number or null), text (value as shown), leaf (no children)
 * data-root, data-root-name                  the division at the top of the breadcrumb
 * data-path                                  JSON [{uid, name, level}]: the way down to the division shown first (ends with data-root)
 * data-things="/…/things.geojson?within={uid}"  points; properties uid, name, value, text, unit, aqi (1-6 or 0), band,
 *                                            url, rows [[label, text], …],
 *                                            title (for the popup, name unless given), count (a cluster)
 * data-tiles="/tiles/<layer>/{z}/{x}/{y}.mvt" data-layer="<layer>"  points as vector tiles instead of data-things
 * data-scale="aqi|ramp"                      colours of the polygons; data-steps="10,20,30,40" limits of the ramp
 * data-attribution                           the source of the boundaries, printed on the map
 *
 * Events on the element (bubbling): zs:drill {uid, name, level, path}, zs:thing {uid, properties}.
 */
import { Map as GlMap, NavigationControl, AttributionControl, Popup, setWorkerUrl } from "maplibre-gl";
import { FONT, loadFont, mapColor, word } from "zs/theme";

setWorkerUrl(import.meta.resolve("maplibre-gl/worker"));

const EMPTY = { type: "FeatureCollection", features: [] };

export class CityMap {
  constructor(element) {
    this.element = element;
    this.data = element.dataset;
    const shown = this.data.root ? [{ uid: this.data.root, name: this.data.rootName }] : [];
    this.path = this.data.path ? JSON.parse(this.data.path) : shown;
    if (this.path.length) this.path.at(-1).bounds = this.bounds();
    this.crumbs = document.querySelector(this.data.crumbs ?? "[data-zs-crumbs]");
    this.size = parseFloat(getComputedStyle(element).fontSize);
    this.ready = this.start().catch((error) => { console.error(error); this.showState(word("map_failed")); });
  }

  bounds() {
    const numbers = (this.data.bounds ?? "").split(",").map(Number);
    return numbers.length === 4 && numbers.every(Number.isFinite) ? [numbers.slice(0, 2), numbers.slice(2)] : null;
  }

  async start() {
    await loadFont(`0123456789 ${this.data.rootName ?? ""}`);
    const canvas = this.element.appendChild(document.createElement("div"));
    canvas.className = "zs-map__draw";
    this.map = new GlMap({
      container: canvas, style: this.style(), bounds: this.bounds() ?? undefined, fitBoundsOptions: { padding: this.padding() },
      attributionControl: false, dragRotate: false, pitchWithRotate: false, fadeDuration: 0, locale: { "Map.Title": word("map") },
    });
    this.map.touchZoomRotate.disableRotation();
    if (this.data.attribution) this.map.addControl(new AttributionControl({ customAttribution: this.data.attribution, compact: false }), "bottom-right");
    if (this.data.controls !== "no") this.map.addControl(new NavigationControl({ showCompass: false }), "top-right");
    await this.map.once("load");
    new ResizeObserver(() => this.map.resize()).observe(this.element);
    this.map.on("click", (event) => this.onClick(event));
    for (const layer of ["division-fill", "thing-dot"]) {
      this.map.on("mouseenter", layer, () => { this.map.getCanvas().style.cursor = "pointer"; });
      this.map.on("mouseleave", layer, () => { this.map.getCanvas().style.cursor = ""; });
    }
    await this.load();
    return this.map;
  }

  padding() {
    return { top: this.size * (this.crumbs ? 3.6 : 1.2), bottom: this.size * 1.8, left: this.size, right: this.size };
  }

  style() {
    const color = (name) => mapColor(name, this.element);
    const label = { "text-font": [FONT], "text-size": this.size, "text-max-width": 12 };
    const paper = { "text-color": color("ink"), "text-halo-color": color("map-halo"), "text-halo-width": 1.5 };
    const points = this.data.tiles
      ? { type: "vector", tiles: [this.tilesUrl()], promoteId: "uid" }
      : { type: "geojson", data: EMPTY, promoteId: "uid" };
    const layer = this.data.tiles ? { source: "things", "source-layer": this.data.layer } : { source: "things" };
    const level = ["coalesce", ["get", "aqi"], 0];
    const state = ["to-string", ["coalesce", ["get", "state"], ["get", "band"], ""]];
    const states = ["match", state, ["high", "low", "orange"], color("level-orange"), ["ok"], color("ok"), ["red"], color("level-red"), ["yellow"], color("level-yellow"), ["blue"], color("level-blue"), color("aqi-none")];
    const few = ["has", "count"];
    // What needs somebody lies on top: out of bounds above bad air above clean air.
    const rank = ["match", state, ["red"], 9, ["high", "low", "orange"], 8, ["yellow"], 7, level];
    return {
      version: 8,
      sources: { names: { type: "geojson", data: EMPTY }, around: { type: "geojson", data: EMPTY }, divisions: { type: "geojson", data: EMPTY, promoteId: "uid" }, things: points },
      layers: [
        { id: "ground", type: "background", paint: { "background-color": color("map-ground") } },
        { id: "around-line", type: "line", source: "around", paint: { "line-color": color("map-line"), "line-opacity": 0.5, "line-width": 1 } },
        { id: "division-fill", type: "fill", source: "divisions", paint: { "fill-color": this.fill(), "fill-opacity": this.fillOpacity() } },
        { id: "division-line", type: "line", source: "divisions", paint: { "line-color": color("map-line"), "line-width": 1.5 } },
        { id: "division-name", type: "symbol", source: "names", layout: { ...label, "text-field": ["get", "name"], "text-padding": 6 }, paint: { ...paper, "text-color": color("ink-quiet") } },
        { id: "thing-dot", type: "circle", ...layer, layout: { "circle-sort-key": rank }, paint: {
          "circle-color": ["case", [">", level, 0], this.byLevel(level, ""), states],
          "circle-radius": ["case", few, this.size * 1.5, [">", level, 0], this.size * 1.05, ["==", ["coalesce", ["get", "text"], ""], ""], this.size * 0.45, this.size], "circle-stroke-color": ["match", level, [5, 6], color("map-rim"), color("map-ground")], "circle-stroke-width": 2.5 } },
        { id: "thing-name", type: "symbol", ...layer, layout: { ...label, "text-field": ["get", "name"], "text-anchor": "top", "text-offset": [0, 1.4], "text-optional": true }, paint: paper },
        { id: "thing-value", type: "symbol", ...layer, layout: { ...label, "text-field": ["coalesce", ["get", "text"], ["to-string", ["get", "count"]], ""], "symbol-sort-key": ["-", 0, rank], "text-padding": 1 }, paint: { "text-color": this.byLevel(level, "-ink") } },
      ],
    };
  }

  /** Clean air stays quiet: colour is spent on what needs somebody. */
  fillOpacity() {
    if (this.data.scale !== "aqi") return 0.85;
    const value = ["coalesce", ["feature-state", "value"], ["get", "value"]];
    return ["case", ["==", value, null], 0.5, ["step", ["to-number", value, 0], 0.08, 100 + 1e-6, 0.18, 150 + 1e-6, 0.3]];
  }

  byLevel(level, suffix) {
    const color = (name) => mapColor(name, this.element);
    return ["match", level, ...[1, 2, 3, 4, 5, 6].flatMap((at) => [at, color(`aqi-${at}${suffix}`)]), color(`aqi-none${suffix}`)];
  }

  fill() {
    const color = (name) => mapColor(name, this.element);
    const value = ["coalesce", ["feature-state", "value"], ["get", "value"]];
    const limits = this.data.scale === "aqi" ? [50, 100, 150, 200, 300] : (this.data.steps ?? "20,40,60,80").split(",").map(Number);
    const name = (index) => (this.data.scale === "aqi" ? `aqi-${index + 1}` : `ramp-${Math.min(index + 1, 5)}`);
    const steps = limits.flatMap((limit, index) => [limit + 1e-6, color(name(index + 1))]);
    const known = ["step", ["to-number", value, 0], color(name(0)), ...steps];
    return ["case", ["==", value, null], color("raised"), known];
  }

  /** Show the division at the end of the path: its children, its things, its breadcrumb. */
  async load() {
    const here = this.path.at(-1);
    const [divisions, things] = await Promise.all([
      this.fetch(this.data.divisions, here?.uid), this.data.tiles ? null : this.fetch(this.data.things, here?.uid)]);
    if (here !== this.path.at(-1)) return;
    const text = JSON.stringify([divisions, things].map((set) => set?.features.map((feature) => feature.properties.name)));
    await loadFont(text);
    const source = (name) => this.map.getSource(name);
    if (divisions.features.length || !this.data.divisions) {
      source("around").setData(this.path.at(-2)?.shown ?? EMPTY);
      source("divisions").setData(divisions);
      source("names").setData({ ...EMPTY, features: divisions.features.map(labelPoint) });
      this.shown = divisions;
      if (here) here.shown = divisions;
    }
    if (things) source("things").setData(things);
    this.showState(this.failed ? word("map_failed") : "");
    const bounds = here?.bounds ?? computeBounds(divisions.features.length ? divisions : things ?? EMPTY);
    if (bounds) this.map.fitBounds(bounds, { padding: this.padding(), maxZoom: 16, animate: !matchMedia("(prefers-reduced-motion: reduce)").matches && this.path.length > 1, duration: 600 });
    this.renderCrumbs();
  }

  async fetch(template, uid) {
    if (!template) return EMPTY;
    try {
      const answer = await fetch(template.replace("{uid}", encodeURIComponent(uid ?? "")), { headers: { Accept: "application/geo+json, application/json" } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      this.failed = false;
      return await answer.json();
    } catch (error) {
      console.warn("map:", error);
      this.failed = true;
      return EMPTY;
    }
  }

  onClick(event) {
    const [thing] = this.map.queryRenderedFeatures(event.point, { layers: ["thing-dot"] });
    if (thing) return this.openThing(thing);
    const [division] = this.map.queryRenderedFeatures(event.point, { layers: ["division-fill"] });
    if (division && !division.properties.leaf) this.drill(division.properties);
    return undefined;
  }

  /** Go into a division (its properties), or back to one that is already in the path. */
  async drill({ uid, name, level }) {
    const at = this.path.findIndex((step) => step.uid === uid);
    if (at >= 0) this.path.length = at + 1;
    else {
      const feature = this.shown?.features.find((candidate) => candidate.properties.uid === uid);
      this.path.push({ uid, name, level, bounds: feature ? computeBounds({ features: [feature] }) : null });
    }
    this.popup?.remove();
    await this.load();
    this.tell("zs:drill", { uid, name, level, path: this.path.map((step) => step.uid) });
  }

  openThing(feature) {
    const { properties } = feature;
    this.popup?.remove();
    this.popup = new Popup({ offset: this.size * 1.2, maxWidth: "24em" }).setLngLat(feature.geometry.coordinates).setDOMContent(renderPopup(properties)).addTo(this.map);
    this.tell("zs:thing", { uid: properties.uid, properties });
  }

  tell(name, detail) {
    this.element.dispatchEvent(new CustomEvent(name, { bubbles: true, detail }));
  }

  renderCrumbs() {
    if (!this.crumbs || !this.path.length) return;
    this.crumbs.replaceChildren(...this.path.map((step, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = index ? `› ${step.name}` : step.name;
      if (index === this.path.length - 1) button.setAttribute("aria-current", "location");
      button.addEventListener("click", () => this.drill(step));
      return button;
    }));
  }

  showState(text) {
    this.element.querySelector(".zs-state")?.remove();
    if (!text) return;
    const state = document.createElement("div");
    state.className = "zs-state";
    state.setAttribute("role", "status");
    state.textContent = text;
    this.element.append(state);
  }

  /** Fetch the tiles anew, at most every five seconds: a label cannot follow a feature state, and must agree with its colour. */
  reloadTiles() {
    this.reload ??= setTimeout(() => {
      this.reload = null;
      this.map.getSource("things").setTiles([this.tilesUrl(Date.now())]);
    }, 5000);
  }

  tilesUrl(generation) {
    const url = new URL(this.data.tiles, location.href);
    if (generation) url.searchParams.set("g", generation);
    return url.href.replaceAll("%7B", "{").replaceAll("%7D", "}");
  }

  /** Apply live changes; see docs/design.md, event "map". */
  async apply({ layer, changes }) {
    await this.ready;
    if (layer === "divisions") {
      for (const change of changes) this.map.setFeatureState({ source: "divisions", id: change.uid }, { value: change.value });
    } else if (this.data.tiles) {
      this.reloadTiles();
    } else {
      const properties = (change) => Object.entries(change).filter(([key]) => key !== "uid").map(([key, value]) => ({ key, value }));
      const known = new Set((await this.map.getSource("things").getData()).features.map((feature) => feature.properties.uid));
      this.map.getSource("things").updateData({ update: changes.filter((change) => known.has(change.uid)).map((change) => ({ id: change.uid, addOrUpdateProperties: properties(change) })) });
    }
  }
}

/** Where the name of a polygon is written, once: MapLibre would repeat it in every tile. */
function labelPoint(feature) {
  const { lon, lat, name } = feature.properties;
  const [[west, south], [east, north]] = computeBounds({ features: [feature] }) ?? [[0, 0], [0, 0]];
  const coordinates = Number.isFinite(lon) && Number.isFinite(lat) ? [lon, lat] : [(west + east) / 2, (south + north) / 2];
  return { type: "Feature", geometry: { type: "Point", coordinates }, properties: { name } };
}

function renderPopup(properties) {
  const box = document.createElement("div");
  box.className = "zs-popup";
  const name = box.appendChild(document.createElement("div"));
  name.className = "zs-popup__name";
  name.textContent = properties.title ?? properties.name;
  const rows = typeof properties.rows === "string" ? JSON.parse(properties.rows) : properties.rows ?? [];
  const list = document.createElement("dl");
  for (const [label, text] of rows) {
    list.appendChild(document.createElement("dt")).textContent = label;
    list.appendChild(document.createElement("dd")).textContent = text;
  }
  if (rows.length) box.append(list);
  if (properties.url?.startsWith("/")) {
    const link = box.appendChild(document.createElement("a"));
    link.href = properties.url;
    link.textContent = word("open");
  }
  return box;
}

/** [[west, south], [east, north]] of a feature collection, null when it is empty. */
export function computeBounds(collection) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  const visit = (place) => {
    if (typeof place[0] === "number") {
      box[0] = Math.min(box[0], place[0]); box[1] = Math.min(box[1], place[1]);
      box[2] = Math.max(box[2], place[0]); box[3] = Math.max(box[3], place[1]);
    } else place.forEach(visit);
  };
  collection.features.forEach((feature) => feature.geometry && visit(feature.geometry.coordinates));
  return Number.isFinite(box[0]) ? [box.slice(0, 2), box.slice(2)] : null;
}

/** Every map of the page by its element. */
export const maps = new Map();

for (const element of document.querySelectorAll("[data-zs-map]")) maps.set(element, new CityMap(element));
