"""The desk in a real browser against a real served house: the door, a case from opening to closing, lists, records, languages, keyboard and phone."""

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from .screen.conftest import CityServer, city  # noqa: F401  (a fixture)

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "test-results" / "pictures"
VENDOR = ROOT / "src" / "zhongshu" / "portal" / "static" / "vendor" / "maplibre"
SIZES = {"1920": (1920, 1080), "390": (390, 844)}
PASSWORD = "Quiet-Harbour-71-lamps"
WORK = ["officer", "environment.officer"]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium(require: Any) -> Iterator[Any]:
    binary = require("browser")
    if not VENDOR.exists():
        pytest.skip("the browser libraries are not here (python frontend/vendor.py)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=binary, args=["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def people(city: CityServer) -> CityServer:  # noqa: F811
    """People who can log in, and a case that waits."""
    city.do("member", name="anna", roles=WORK, password=PASSWORD)
    city.do("member", name="boris", roles=["checker", "environment.checker"], password=PASSWORD)
    city.do("member", name="chen", roles=["device-engineer", "administrator"], password=PASSWORD)
    city.do("member", name="dora", roles=WORK, password=PASSWORD)
    city.do("opened", title="Dust over the river road")
    city.do("read", ordinal=1005, value=2.5)
    return city


class Desk:
    """One browser of one person, and everything it complained about."""

    def __init__(self, browser: Any, server: CityServer, size: str = "1920", locale: str = "en-US") -> None:
        width, height = SIZES[size]
        self.base = f"http://127.0.0.1:{server.port}"
        self.context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, reduced_motion="reduce")
        self.page, self.complaints = self.context.new_page(), []
        self.page.set_default_timeout(8000)
        self.page.on("console", lambda m: self.complaints.append(f"{self.page.url}: {m.text}") if m.type in ("error", "warning") and "GPU stall" not in m.text else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def enter(self, name: str, password: str = PASSWORD) -> None:
        self.open("/login/?next=/desk/")
        self.page.fill("input[name=username]", name)
        self.page.fill("input[name=password]", password)
        self.page.click("main form.zs-form button[type=submit]")

    def open(self, path: str) -> None:
        self.page.goto(self.base + path, wait_until="load")

    def as_person(self, person: Any) -> "Desk":
        self.context.add_cookies([{"name": "sessionid", "value": person.session, "url": self.base}])
        return self

    def act(self, label: str, **fields: str) -> None:
        self.page.get_by_role("link", name=label, exact=True).click()
        for name, value in fields.items():
            field = self.page.locator(f"[name={name}]")
            field.select_option(label=value) if field.evaluate("e => e.tagName") == "SELECT" else field.fill(value)
        self.page.click("main .zs-form__end button[type=submit]")

    def expect(self, selector: str, text: str) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator(selector).first).to_contain_text(text)

    def picture(self, name: str) -> None:
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=str(PICTURES / f"{name}.png"))

    def close(self) -> None:
        assert self.complaints == []
        self.context.close()


def compute_code(address: str) -> str:
    """The six digits of an `otpauth:` address now (RFC 6238)."""
    secret = base64.b32decode(parse_qs(urlsplit(address).query)["secret"][0])
    digest = hmac.new(secret, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[at : at + 4])[0] & 0x7FFFFFFF) % 10**6:06d}"


def test_wrong_password_is_said_and_the_right_one_opens_the_desk(people, chromium):
    desk = Desk(chromium, people)
    desk.enter("anna", "not the password")
    desk.expect("[role=alert]", "wrong")
    assert "/login/" in desk.page.url
    desk.enter("anna")
    desk.page.wait_for_url("**/desk/")
    desk.expect("h1", "To do")
    desk.close()


def test_second_step_asks_for_a_code_and_refuses_a_wrong_one(people, chromium):
    address = people.do("second_step", name="dora")
    desk = Desk(chromium, people)
    desk.enter("dora")
    desk.page.wait_for_url("**/login/code/**")
    desk.page.fill("input[name=code]", compute_code(address))
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url("**/desk/")
    desk.close()


def test_case_goes_from_the_to_do_list_to_closed_by_two_people(people, chromium):
    title = "Smoke behind the brickyard"
    people.do("opened", title=title)
    anna = Desk(chromium, people)
    anna.enter("anna")
    anna.page.get_by_role("row", name=re.compile(title)).get_by_role("link").first.click()
    anna.expect("h1", title)
    anna.act("Accept")
    anna.expect("#zs-messages", "Accept")
    anna.act("Assign", assignee="anna")
    anna.act("Start work")
    anna.act("Done, send for checking", note="The kiln was shut and sealed.")
    anna.expect("h1 .zs-badge:last-child", "Being checked")
    anna.expect(".zs-trail", "The kiln was shut and sealed.")
    anna.close()
    boris = Desk(chromium, people)
    boris.enter("boris")
    boris.page.get_by_role("row", name=re.compile(title)).get_by_role("link").first.click()
    boris.act("Checked, close")
    boris.expect("h1", "Closed")
    assert boris.page.locator(".zs-actions a").all_inner_texts() == ["Add a note"]
    boris.close()


def test_new_case_appears_on_an_open_to_do_list_without_a_reload(people, chromium):
    desk = Desk(chromium, people)
    desk.enter("anna")
    desk.page.wait_for_selector("[data-zs-live][data-state=live]")
    desk.page.evaluate("window.zsSame = true")
    before = desk.page.locator("tbody tr").count()
    people.do("opened", title="Burning straw at the south gate")
    desk.expect("tbody", "Burning straw at the south gate")
    desk.expect(".zs-side [data-zs-count=todo]", str(before + 1))
    assert desk.page.evaluate("window.zsSame") is True
    desk.close()


def test_list_is_searched_filtered_sorted_and_opened_by_keyboard(people, chromium):
    desk = Desk(chromium, people)
    desk.enter("chen")
    desk.open("/desk/records/sense-thing/")
    total = desk.page.locator(".zs-pager > span").inner_text()
    desk.page.locator("select[name=product]").select_option(label="倾斜传感器")
    desk.page.wait_for_url("**product=**")
    desk.page.wait_for_function("(was) => document.querySelector('.zs-pager > span').innerText !== was", arg=total)
    desk.page.get_by_role("link", name="State").click()
    desk.page.wait_for_url("**order=state**")
    assert desk.page.locator("th[aria-sort=ascending]").inner_text() == "State"
    desk.page.keyboard.press("j")
    desk.page.keyboard.press("j")
    desk.page.keyboard.press("k")
    first = desk.page.locator("tbody tr.zs-here a").first.inner_text()
    assert first == desk.page.locator("tbody tr a").first.inner_text()
    desk.page.keyboard.press("Enter")
    desk.expect("h1", first)
    desk.page.keyboard.press("/")
    desk.page.keyboard.type("Dust over")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_url("**/desk/search/**")
    desk.close()


def test_record_is_created_changed_and_removed_with_a_reason_on_its_trail(people, chromium):
    desk = Desk(chromium, people)
    desk.enter("chen")
    desk.open("/desk/records/sense-product/new/")
    desk.page.fill("[name=code]", "rain_gauge")
    desk.page.fill("[name=name]", "Rain gauge")
    desk.page.fill("[name=why]", "the new gauges of the park")
    desk.page.click("main .zs-form__end button[type=submit]")
    desk.expect("h1", "Rain gauge")
    desk.expect(".zs-trail", "the new gauges of the park")
    desk.page.keyboard.press("e")
    desk.page.wait_for_url("**/change/")
    desk.page.fill("[name=name]", "Tipping-bucket gauge")
    desk.page.fill("[name=why]", "named as on its plate")
    desk.page.click("main .zs-form__end button[type=submit]")
    desk.expect("h1", "Tipping-bucket gauge")
    desk.expect(".zs-trail", "Rain gauge → Tipping-bucket gauge")
    desk.act("Remove", why="ordered twice")
    desk.page.wait_for_url("**/desk/records/sense-product/")
    assert "Tipping-bucket gauge" not in desk.page.locator("tbody").inner_text()
    desk.close()


def test_language_is_switched_and_kept(people, chromium):
    desk = Desk(chromium, people).as_person(people.person(language="en"))
    desk.open("/desk/")
    desk.page.click(".zs-menu summary")
    desk.page.click("button[name=language][value=zh-hans]")
    desk.page.wait_for_selector("html[lang=zh-hans]")
    desk.open("/desk/records/sense-alarm/")
    desk.expect("h1", "告警")
    desk.close()


def test_focus_is_visible_and_the_first_stop_skips_the_navigation(people, chromium):
    desk = Desk(chromium, people).as_person(people.person(language="en"))
    desk.open("/desk/")
    for stop in range(12):
        desk.page.keyboard.press("Tab")
        width = desk.page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth) || 0")
        assert width >= 2, desk.page.evaluate("document.activeElement.outerHTML.slice(0, 120)")
        assert stop or desk.page.evaluate("document.activeElement.getAttribute('href')") == "#main"
    desk.close()


def _main_pages(people: CityServer) -> dict[str, str]:
    thing, case = people.facts["things"][5], people.do("opened", title="Dust over the river road")
    pages = {"desk": "/desk/", "case": f"/desk/cases/{case}/", "thing": f"/desk/records/sense-thing/{thing}/", "search": "/desk/search/?q=a", "account": "/account/"}
    kinds = ("sense-thing", "sense-alarm", "work-case", "brain-city-event", "kernel-division", "environment-air-station")
    return {**pages, **{kind: f"/desk/records/{kind}/" for kind in kinds}}


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("size", ["1920", "390"])
def test_main_pages_fit_have_one_heading_named_fields_and_no_complaint(people, chromium, size, language):
    desk = Desk(chromium, people, size, "zh-CN" if language == "zh-hans" else "en-US")
    desk.open("/login/")
    desk.picture(f"login-{size}-{language}")
    desk.as_person(people.person(language=language))
    for name, path in _main_pages(people).items():
        desk.open(path)
        desk.page.wait_for_selector("[data-zs-live][data-state=live]")
        if desk.page.locator("[data-zs-map] canvas, .zs-chart canvas").count():
            desk.page.wait_for_load_state("networkidle")
        assert desk.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than the screen"
        assert desk.page.locator("h1").count() == 1, name
        assert desk.page.evaluate(UNNAMED) == [], name
        assert "object (" not in desk.page.locator("main").inner_text() and "ug/m3" not in desk.page.locator("main").inner_text(), name
        if name in ("desk", "case", "thing"):
            desk.picture(f"{name}-{size}-{language}")
    desk.close()


UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a[href], [role=img], [role=region]")]
  .filter((e) => e.checkVisibility() && !(e.labels?.length || e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.textContent.trim()))
  .map((e) => e.outerHTML.slice(0, 120))"""
