"""Pictures for the README, from a running demonstration: `python scripts/pictures.py http://127.0.0.1:8000 <password of duty> <password of air-officer>`.

Writes docs/pictures/screen.png and desk.png. Colours are reduced to a palette of 256, so that each stays below 300 kB. Needs Playwright and a Chromium.
"""

import argparse
import shutil
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
WIDTH, HEIGHT = 1440, 810
MOST = 300_000
SETTLE_MS = 4000
GL = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


def main() -> None:
    """Log in twice and take both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base")
    parser.add_argument("duty")
    parser.add_argument("officer")
    given = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    binary = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=binary, args=GL)
        for name, login, password, path in (("screen", "duty", given.duty, "/screen/"), ("desk", "air-officer", given.officer, "/desk/")):
            page = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, locale="zh-CN", reduced_motion="reduce").new_page()
            take(page, given.base, login, password, path, FOLDER / f"{name}.png")
        browser.close()


def take(page: Page, base: str, login: str, password: str, path: str, target: Path) -> None:
    """Log in, open a page, wait until map and stream stand, and keep what is seen."""
    page.goto(f"{base}/login/?next={path}")
    page.fill("input[name=username]", login)
    page.fill("input[name=password]", password)
    page.click("main form.zs-form button[type=submit]")
    page.wait_for_selector("[data-state=live]")
    if path == "/desk/":
        page.locator("tbody tr[data-url] a").last.click()
        page.wait_for_selector("[data-state=live]")
    page.wait_for_timeout(SETTLE_MS)
    small = encode_palette(decode(page.screenshot()))
    if len(small) > MOST:
        raise SystemExit(f"{target.name} has {len(small):,} bytes, more than {MOST:,}")
    target.write_bytes(small)
    print(f"{target.name}: {len(small):,} bytes")


def decode(png: bytes) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) of an 8-bit RGB or RGBA picture that is not interlaced (PNG 1.2, chapter 6)."""
    at, body, width, height, channels = 8, b"", 0, 0, 3
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at : at + 8])
        if kind == b"IHDR":
            width, height, _depth, colour = struct.unpack(">IIBB", png[at + 8 : at + 18])
            channels = 4 if colour == 6 else 3
        body += png[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    raw = np.frombuffer(zlib.decompress(body), np.uint8).reshape(height, 1 + width * channels)
    rows, above = np.zeros((height, width, channels), np.int64), np.zeros((width, channels), np.int64)
    for y in range(height):
        above = rows[y] = unfilter(int(raw[y, 0]), raw[y, 1:].astype(np.int64).reshape(width, channels), above)
    return rows[..., :3].astype(np.uint8)


def unfilter(kind: int, line: NDArray[Any], above: NDArray[Any]) -> NDArray[Any]:
    """One line of pixels from what the filter left of it (PNG 1.2, 6.2 to 6.6)."""
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line, axis=0) & 255
    if kind == 2:
        return (line + above) & 255
    out, left, corner = line.tolist(), [0] * line.shape[1], [0] * line.shape[1]
    for x, up in enumerate(above.tolist()):
        for c, b in enumerate(up):
            a, d = left[c], corner[c]
            guess = (a + b) // 2 if kind == 3 else min((abs(b - d), 0, a), (abs(a - d), 1, b), (abs(a + b - 2 * d), 2, d))[2]
            out[x][c] = (out[x][c] + guess) & 255
        left, corner = out[x], up
    return np.array(out)


def encode_palette(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG with the 256 colours that stand for most pixels, each pixel the nearest of them; colours are told apart to five bits."""
    coarse = (pixels >> 3).astype(np.int64) @ np.array([1024, 32, 1])
    _bins, where, counts = np.unique(coarse.ravel(), return_inverse=True, return_counts=True)
    flat = pixels.reshape(-1, 3).astype(float)
    means = np.stack([np.bincount(where, flat[:, c]) / counts for c in range(3)], axis=1)
    chosen = means[np.argsort(-counts)[:256]]
    nearest = np.array([np.argmin(((chosen - mean) ** 2).sum(axis=1)) for mean in means], np.uint8)
    lines = np.insert(nearest[where].reshape(pixels.shape[:2]), 0, 0, axis=1)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 3, 0, 0, 0)
    parts = ((b"IHDR", header), (b"PLTE", chosen.round().astype(np.uint8).tobytes()), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts)


if __name__ == "__main__":
    main()
