"""The wall in a real browser: at wall and phone size, in both languages, without an error, and moving."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
PICTURES = Path(__file__).resolve().parents[3] / "test-results" / "pictures"
VENDOR = Path(__file__).resolve().parents[3] / "src" / "zhongshu" / "portal" / "static" / "vendor"
SIZES = {"wall": (1920, 1080), "phone": (390, 844)}
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not CHROMIUM.exists() or not (VENDOR / "maplibre").exists():
        reason = "Chromium or the browser libraries (frontend/vendor.py) are not here"
        if "browser" in os.environ.get("ZHONGSHU_REQUIRE", ""):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"])
        yield browser
        browser.close()


class Wall:
    """One open wall, and everything the browser complained about."""

    def __init__(self, browser: Any, person: Any, size: str, path: str = "/screen/") -> None:
        width, height = SIZES[size]
        self.context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")
        base = f"http://127.0.0.1:{person.city.port}"
        self.context.add_cookies([{"name": "sessionid", "value": person.session, "url": base}])
        self.page, self.complaints = self.context.new_page(), []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") and "GPU stall" not in m.text else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(base + path)
        self.page.wait_for_selector(".zs-screen[data-state=live]")
        self.settle()

    def on_map(self, script: str, given: Any = None) -> Any:
        """Run a piece of JavaScript with the page's map as `m`."""
        return self.page.evaluate("async (given) => { const { maps } = await import('zs/map'); for (const m of maps.values()) { " + script + " } }", given)

    def settle(self) -> None:
        self.on_map("await m.ready; while (!m.map.loaded()) await new Promise((on) => setTimeout(on, 50));")

    def expect_aqi(self, text: str, timeout: int = 5000) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("[data-zs=aqi]")).to_have_text(text, timeout=timeout)

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"), full_page=True)

    def drill(self, uid: str, name: str) -> None:
        self.on_map("await m.drill({ uid: given[0], name: given[1], level: '' });", [uid, name])
        self.settle()

    def count_shown(self, source: str) -> int:
        return int(self.on_map("return (await m.map.getSource(given).getData()).features.length;", source))

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).first.inner_text())

    def close(self) -> None:
        self.context.close()


@pytest.fixture
def busy_city(city):
    """Alarms, cases and readings, so that the pictures show something."""
    made = [city.do("alarm", thing=n, title="倾角过大", level=level) for n, level in ((2, "red"), (3, "orange"), (9, "yellow"), (14, "blue"))]
    city.do("figures")
    city.do("case", thing=5, title="东湖区空气质量异常:PM2.5 连续三小时超标")
    for n in range(6):
        for m, value in enumerate((41.0, 66.0, 88.0, 23.0, 6.0, 0.6, 12.4, 55.0, 101.2, 2.1, 135.0)):
            city.do("read", ordinal=n * 16 + m, value=value + n)
    for n in range(40):
        city.do("read", ordinal=1000 + n, value=n / 10)
    city.do("band", thing=2, band="high")
    city.do("band", thing=10, band="silent")
    yield city
    for uid in made:
        city.do("clear", uid=uid)


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("size", ["wall", "phone"])
def test_wall_renders_without_a_complaint_of_the_browser(busy_city, chromium, size, language):
    wall = Wall(chromium, busy_city.person(language=language), size)
    assert wall.count_shown("divisions") == 2 and wall.count_shown("things") >= 6
    assert wall.text("[data-zs=aqi]") == "46" and wall.page.locator("[data-zs-stream] li").count() >= 5
    assert wall.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wall.picture(f"screen-{size}-{language}")
    assert wall.complaints == []
    wall.close()


def test_drill_down_takes_map_stream_figures_and_address_along(busy_city, chromium, officer):
    city, wall = busy_city, Wall(chromium, officer, "wall")
    for code, name, children in (("990101", "东湖区", 4), ("990101001", "东湖1街道", 1), ("990101001001", "东湖1社区", 4), ("990101001001001", "第1网格", 4)):
        wall.drill(city.division(code), name)
        assert wall.count_shown("divisions") == children
        assert wall.page.url.endswith(f"/screen/{city.division(code)}/")
        wall.page.wait_for_selector(".zs-screen[data-state=live]")
        if code in ("990101", "990101001001001"):
            wall.expect_aqi("62")
            wall.picture(f"screen-drill-{len(code)}")
    assert wall.page.locator("[data-zs-crumbs] button").count() == 5
    assert wall.count_shown("things") >= 2
    wall.page.locator("[data-zs-crumbs] button").first.click()
    wall.expect_aqi("46")
    assert wall.complaints == []
    wall.close()


def test_linked_division_opens_with_its_way_down(busy_city, chromium, officer):
    wall = Wall(chromium, officer, "wall", f"/screen/{busy_city.division('990102003')}/")
    assert wall.page.locator("[data-zs-crumbs] button").all_inner_texts() == ["江城市", "› 西山区", "› 西山3街道"]
    wall.picture("screen-town")
    wall.page.locator("[data-zs-crumbs] button").nth(1).click()
    wall.page.wait_for_url(f"**/screen/{busy_city.division('990102')}/")
    assert wall.complaints == []
    wall.close()


def test_values_alarms_and_the_headline_move_without_a_reload(city, chromium, officer):
    wall = Wall(chromium, officer, "wall")
    wall.page.evaluate("window.zsSame = true")
    uid = city.do("alarm", thing=8, title="就在此刻", level="red")
    wall.page.wait_for_selector(f"[data-id='alarm-{uid}']", timeout=3000)
    city.do("clear", uid=uid)
    wall.page.wait_for_selector(f"[data-id='alarm-{uid}']", state="detached", timeout=3000)
    city.do("hour", west=212, east=101)
    wall.expect_aqi("156", 12000)
    wall.page.wait_for_timeout(300)
    find = "return (await m.map.getSource('things').getData()).features.find((f) => f.properties.uid === given).properties.text;"
    assert wall.on_map(find, city.facts["stations"][0]) == "212"
    wall.settle()
    wall.picture("screen-polluted")
    city.do("hour", west=62, east=31)
    wall.expect_aqi("46", 12000)
    assert wall.page.evaluate("window.zsSame") is True and wall.complaints == []
    wall.close()


def test_withdrawn_rights_are_told_on_the_wall(city, chromium):
    person = city.person()
    wall = Wall(chromium, person, "wall")
    city.do("revoke", name=person.name)
    wall.page.wait_for_selector(".zs-screen[data-state=ended]", timeout=3000)
    wall.close()
