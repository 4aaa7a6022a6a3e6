"""The city as one SVG picture: to look at after every change of the generator."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from .city import City

__all__ = ["render_svg"]

_GREENS = ("#eef2e2", "#e6eed8", "#edf0dc", "#e2ebd2", "#e9efd9", "#e4edda")


def render_svg(city: City, width: int = 1600, height: int = 1000, metres: float | None = None) -> str:
    """Divisions, river, roads, buildings and devices; ``metres`` cuts out a square around the centre."""
    west, south, east, north = shapely.total_bounds(city.land.polygons)
    if metres:
        from_lon, from_lat = 115.30, 28.40
        half = metres / 2 / 110_800
        west, east = from_lon - half * 1.8, from_lon + half * 1.8
        south, north = from_lat - half, from_lat + half
    scale = min(width / ((east - west) * np.cos(np.radians(28.4))), height / (north - south))

    def path(shape: Any) -> str:
        out = []
        for part in shapely.get_parts(shape):
            rings = [part.exterior, *part.interiors] if part.geom_type == "Polygon" else [part]
            for ring in rings:
                xy = shapely.get_coordinates(ring)
                x, y = (xy[:, 0] - west) * np.cos(np.radians(28.4)) * scale, (north - xy[:, 1]) * scale
                out.append("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True)))
        return "".join(out)

    land = city.land
    body = [f'<rect width="{width}" height="{height}" fill="#dfe6ea"/>']
    level = np.array(city.divisions["level"].to_pylist())
    shapes = shapely.from_wkb(city.divisions["wkb"].to_numpy(zero_copy_only=False))
    for i, shape in enumerate(shapes[level == "county"]):
        body.append(f'<path d="{path(shape)}" fill="{_GREENS[i]}" stroke="none"/>')
    for limit, colour in ((900.0, "#e8e4d4"), (450.0, "#e3dccb"), (300.0, "#d9cfbd")):
        town = "".join(path(s) for s in land.polygons[land.spacing <= limit])
        body.append(f'<path d="{town}" fill="{colour}" stroke="none"/>')
    fine = metres is not None and metres <= 30_000
    cells = "".join(path(s) for s in land.polygons)
    body.append(f'<path d="{cells}" fill="none" stroke="#ffffff" stroke-opacity="0.55" stroke-width="0.35"/>')
    if fine:
        houses = "".join(path(s) for s in shapely.from_wkb(city.buildings["wkb"].to_numpy(zero_copy_only=False)))
        body.append(f'<path d="{houses}" fill="#b9a994" stroke="none"/>')
    body.append(f'<path d="{path(land.river)}" fill="#8fbbd9" stroke="#8fbbd9" stroke-width="1.5"/>')
    ranks = np.array(city.streets["rank"].to_pylist())
    lines = shapely.from_wkb(city.streets["wkb"].to_numpy(zero_copy_only=False))
    for rank, colour, wide in (("street", "#fffdf6", 0.6), ("arterial", "#f6e3a1", 1.3), ("highway", "#e9a15b", 2.0), ("ring", "#d9773f", 2.4)):
        roads = "".join(path(s) for s in lines[ranks == rank])
        body.append(f'<path d="{roads}" fill="none" stroke="{colour}" stroke-width="{wide * (2 if fine else 1)}"/>')
    for kind, colour, wide in (("village", "#9a9a8a", 0.3), ("town", "#7d7d6d", 0.8), ("county", "#8a4f7d", 1.8)):
        dash = ' stroke-dasharray="6 3"' if kind != "village" else ""
        borders = "".join(path(s) for s in shapes[level == kind])
        body.append(f'<path d="{borders}" fill="none" stroke="{colour}" stroke-width="{wide}"{dash}/>')
    colours = {"air": "#b3001b", "level": "#0b63a5"}
    for row in city.things.select(["kind", "lon", "lat"]).slice(0, 3000).to_pylist():
        x, y = (row["lon"] - west) * np.cos(np.radians(28.4)) * scale, (north - row["lat"]) * scale
        size = 3.5 if row["kind"] == "air" else 1.2
        body.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" fill="{colours.get(row["kind"], "#333355")}" fill-opacity="0.8"/>')
    for n in np.flatnonzero(np.isin(level, ["county"] if not fine else ["town"])):
        row = city.divisions.slice(int(n), 1).to_pylist()[0]
        x, y = (row["lon"] - west) * np.cos(np.radians(28.4)) * scale, (north - row["lat"]) * scale
        body.append(f'<text x="{x:.0f}" y="{y:.0f}" font-size="17" text-anchor="middle" fill="#40263a">{row["name_zh"]}</text>')
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{"".join(body)}</svg>'
