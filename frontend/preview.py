"""Look at the templates without the product: ``python frontend/preview.py [port]`` serves every page with invented context.

Only for people who change templates, styles or browser modules. It sends the product's content-security policy, so
that a violation shows on the browser's console, and a live stream that moves. The product never imports it.
"""

from __future__ import annotations

import json
import math
import mimetypes
import random
import secrets
import sys
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace as Object
from typing import Any
from urllib.parse import parse_qs, urlsplit

import django
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import translation

PORTAL = Path(__file__).resolve().parent.parent / "src" / "zhongshu" / "portal"
ZONE = timezone(timedelta(hours=8))
CSP = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

settings.configure(
    DEBUG=True,
    SECRET_KEY="preview",
    USE_I18N=True,
    USE_TZ=True,
    TIME_ZONE="Asia/Shanghai",
    LANGUAGES=[("zh-hans", "简体中文"), ("en", "English")],
    LOCALE_PATHS=[PORTAL.parent / "locale"],
    STATIC_URL="/static/",
    INSTALLED_APPS=["django.contrib.staticfiles"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [PORTAL / "templates"],
                "OPTIONS": {"context_processors": ["django.template.context_processors.request"]}}],
)
django.setup()


def pick(zh: str, en: str) -> str:
    """Invented data in the language of the page."""
    return zh if translation.get_language() == "zh-hans" else en


def get_shell(active: str) -> Object:
    def item(key: str, icon: str, zh: str, en: str, count: int | None = None, due: bool = False) -> Object:
        return Object(url=f"/{key}", icon=icon, label=pick(zh, en), active=key == active, count=count, count_name=f"{key}_open" if count else "", due=due)

    work = [item("todo", "checklist", "待办", "To do", 7, True), item("list", "clipboard-list", "案件", "Cases", 23), item("wall", "device-desktop", "指挥大屏", "Screen")]
    city = [item("things", "antenna", "设备", "Things"), item("detail", "map-2", "监测点", "Stations"), item("chart", "chart-line", "指标", "Indicators")]
    admin = [item("form", "users", "用户与岗位", "Users and posts"), item("confirm", "shield-check", "审计", "Audit")]
    return Object(
        site_name=pick("中枢", "zhongshu"), city=pick("澄江市", "Chengjiang City"), live_url="/live/desk", user=Object(name=pick("林晓雯", "Lin Xiaowen"), post=pick("生态环境局 · 监测科", "Environment Bureau · Monitoring"), url="#"),
        nav=[Object(label="", items=work), Object(label=pick("城市", "City"), items=city), Object(label=pick("管理", "Administration"), items=admin)],
        bottom=[work[0], work[1], city[1]],
    )


def cell(text: str, label: str = "", **more: Any) -> Object:
    return Object(**({"text": text, "label": label, "title": "", "badge": "", "unit": "", "align": "", "url": "", "at": None, "aqi": None, "note": ""} | more))


def get_list(empty: bool = False) -> dict[str, Any]:
    names = [pick(zh, en) for zh, en in [("案件", "Case"), ("级别", "Level"), ("地点", "Place"), ("PM2.5", "PM2.5"), ("状态", "State"), ("期限", "Due")]]
    columns = [Object(name=str(i), label=name, sortable=i in (0, 3, 5), unit="µg/m³" if i == 3 else "", align="end" if i == 3 else "", sorted="desc" if i == 5 else "", sort_url="?sort=x", help="") for i, name in enumerate(names)]
    rng, rows, levels = random.Random(4), [], ["red", "orange", "yellow", "blue"]
    words = {"red": ("红色", "Red"), "orange": ("橙色", "Orange"), "yellow": ("黄色", "Yellow"), "blue": ("蓝色", "Blue")}
    for i in range(0 if empty else 12):
        level = levels[min(3, i // 2)]
        state = [("处置中", "acting", "info"), ("待核查", "to check", "warn"), ("已办结", "closed", "ok"), ("已超期", "overdue", "danger")][rng.randrange(4)]
        rows.append(Object(url="/detail", cells=[
            cell(pick("细颗粒物小时浓度超过限值", "Fine particles above the hourly limit"), names[0], note=f"HJ-2026-{1180 - i:05d}"),
            cell(pick(*words[level]), names[1], badge=f"level-{level}"), cell(pick("青浦区 · 永安街道", "Qingpu · Yong'an"), names[2]),
            cell(f"{rng.uniform(75, 240):.1f}", names[3], align="end"), cell(pick(*state[:2]), names[4], badge=state[2]),
            cell("", names[5], at=datetime.now(ZONE) + timedelta(minutes=rng.randrange(-300, 600)))]))
    choices = [Object(value="", label=pick("全部", "all"), selected=True), Object(value="1", label=pick("处置中", "acting"), selected=False)]
    return {
        "spec": Object(title=pick("案件", "Cases"), subtitle=pick("您可以看到的案件，最急的在前。", "The cases that you may see, the most urgent first."), columns=columns), "rows": rows,
        "pager": Object(first=1, last=12, total_text="10,000+", prev_url="", next_url="?page=2"), "query": Object(url="/list", sort="", active=empty, clear_url="/list"),
        "filters": [Object(kind="text", name="q", label=pick("关键词", "Words"), value="", placeholder=""), Object(kind="select", name="s", label=pick("状态", "State"), choices=choices), Object(kind="date", name="d", label=pick("自", "From"), value="")],
        "actions": [Object(label=pick("导出", "Export"), url="#", icon="download", method="get", primary=False, danger=False, key=""), Object(label=pick("登记案件", "Register a case"), url="#", icon="plus", method="get", primary=True, danger=False, key="")],
        "empty": Object(icon="circle-check", title=pick("没有案件", "No cases"), text="", action=None), "shell": get_shell("list"), "crumbs": [],
    }


def get_chart() -> dict[str, Any]:
    start, rng = datetime.now(ZONE).replace(minute=0, second=0, microsecond=0) - timedelta(hours=72), random.Random(1)
    points = [[(start + timedelta(hours=h)).isoformat(), None if 30 <= h < 34 else round(60 + 45 * math.sin(h / 9) + rng.uniform(-9, 9), 1), 2 if 50 <= h < 54 else 0] for h in range(72)]
    return {"unit": "µg/m³", "kind": "line", "series": [{"name": "PM2.5", "points": points}, {"name": "PM10", "points": [[t, None if v is None else round(v * 1.5, 1), 0] for t, v, _ in points]}],
            "limits": [{"value": 75, "label": pick("日均二级限值", "daily limit, class 2"), "level": "orange"}]}


def get_detail() -> dict[str, Any]:
    item = lambda zh, en, text, **more: cell(text, pick(zh, en), **({"help": "", "wide": False} | more))
    now = datetime.now(ZONE)
    panels = [
        Object(title=pick("测到了什么", "What was measured"), items=[item("PM2.5 小时均值", "PM2.5, hour", "168.4", unit="µg/m³"), item("超过限值", "Above the limit", "2.2", unit=pick("倍", "times")), item("AQI", "AQI", "218", aqi=5), item("测于", "Measured", "", at=now - timedelta(minutes=47)), item("质量", "Quality", pick("有效", "valid"), badge="ok"), item("依据", "Source", "GB 3095-2012", help=pick("表 1，二级", "table 1, class 2"))], url="", chart=None, map=None, table=None, text="", template=None),
        Object(title=pick("近三日", "Three days"), items=None, chart=Object(src="/chart.json", id="", data=None), map=None, table=None, text="", template=None, url=""),
        Object(title=pick("位置", "Where"), items=None, chart=None, map=get_map(), table=None, text="", template=None, url=""),
    ]
    trail = [Object(at=now - timedelta(minutes=m), who=who, text=text, note=note, tone=tone) for m, who, text, note, tone in [
        (3, pick("林晓雯", "Lin Xiaowen"), pick("接收案件", "Took the case"), "", "info"), (12, pick("指挥中心", "Operation centre"), pick("派给生态环境局监测科", "Assigned to the Environment Bureau"), pick("请先核对邻近站点。", "Please compare with the next stations first."), "info"), (47, pick("规则 PM2.5 超限", "Rule: PM2.5 above limit"), pick("告警升为事件，立案", "Alarm became an event and opened the case"), "", "alert")]]
    act = lambda zh, en, icon, **more: Object(**({"label": pick(zh, en), "icon": icon, "url": "/confirm", "method": "get", "primary": False, "danger": False, "key": ""} | more))
    return {
        "title": pick("细颗粒物小时浓度超过限值", "Fine particles above the hourly limit"), "subtitle": pick("HJ-2026-01180 · 青浦区永安街道，永安站", "HJ-2026-01180 · Yong'an station, Qingpu"), "badges": [Object(tone="level-orange", text=pick("橙色", "Orange"), title=""), Object(tone="info", text=pick("处置中", "acting"), title="")],
        "crumbs": [Object(label=pick("案件", "Cases"), url="/list"), Object(label="HJ-2026-01180", url="")], "panels": panels, "trail": trail, "with_chart": True, "with_map": True, "shell": get_shell("list"),
        "related": [Object(title=pick("相关", "Related"), url="#", count_text="", items=[Object(url="#", text=pick("永安站", "Yong'an station"), note="HJ 212 · MN 3601…07", badge="ok", badge_text=pick("在线", "online")), Object(url="#", text=pick("同类案件，昨日", "Same kind, yesterday"), note="HJ-2026-01164", badge="silent", badge_text=pick("已办结", "closed"))])],
        "actions": [act("退回", "Return", "arrow-back-up"), act("作废", "Void", "ban", danger=True), act("送核查", "Send for checking", "send", primary=True, key="edit")],
    }


class SavedMessage:
    level_tag = "success"

    def __str__(self) -> str:
        return pick("已保存。", "Saved.")


class PreviewForm(forms.Form):
    name = forms.CharField(label="Name", help_text="As on the door of the office.")
    kind = forms.ChoiceField(label="Kind", choices=[("a", "Air station"), ("b", "Noise meter")])
    note = forms.CharField(label="Note", widget=forms.Textarea, required=False)
    seen = forms.BooleanField(label="Seen on the spot")


class LoginForm(forms.Form):
    username = forms.CharField()
    password = forms.CharField(widget=forms.PasswordInput)


class CodeForm(forms.Form):
    code = forms.CharField(widget=forms.TextInput(attrs={"inputmode": "numeric", "maxlength": 6}))


def get_map() -> Object:
    return Object(label=pick("澄江市地图", "Map of Chengjiang"), bounds="114.0,25.0,115.6,26.2", divisions="/divisions/{uid}.geojson", root="city", root_name=pick("澄江市", "Chengjiang"), things="/things.geojson?within={uid}", tiles="", layer="", scale="aqi", steps="", attribution=pick("边界：合成城市", "Boundaries: synthetic city"))


def get_divisions(uid: str) -> dict[str, Any]:
    """Irregular quadrilaterals that share their corners; three levels deep."""
    rng = random.Random(uid)
    west, south, east, north = (114.0, 25.0, 115.6, 26.2) if uid == "city" else [float(part) for part in uid.split("_")[1:5]]
    columns, rows = (4, 3) if uid == "city" else (3, 2)
    corner = {(i, j): [round(west + (east - west) * (i + (rng.uniform(-0.28, 0.28) if 0 < i < columns else 0)) / columns, 4), round(south + (north - south) * (j + (rng.uniform(-0.28, 0.28) if 0 < j < rows else 0)) / rows, 4)] for i in range(columns + 1) for j in range(rows + 1)}
    names = ["青浦", "永和", "临川", "石塘", "东陵", "南渡", "云溪", "白沙", "龙泉", "安平", "北关", "松山"]
    features = []
    for i in range(columns):
        for j in range(rows):
            a, b, c, d = corner[i, j], corner[i + 1, j], corner[i + 1, j + 1], corner[i, j + 1]
            at = i * rows + j
            box = f"d_{max(a[0], d[0])}_{max(a[1], b[1])}_{min(b[0], c[0])}_{min(c[1], d[1])}"
            features.append({"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[a, b, c, d, a]]}, "properties": {"uid": box, "name": names[at] + (pick("区", "") if uid == "city" else pick("镇", "")), "level": "county", "value": rng.choice([38, 46, 72, 88, 96, 121, 163, None]), "leaf": uid.count("_") > 8}})
    return {"type": "FeatureCollection", "features": features}


def get_things(uid: str) -> dict[str, Any]:
    rng, features = random.Random(9), []
    for i in range(14):
        value = rng.choice([31, 44, 57, 68, 83, 95, 118, 142, 176, 231, 342, None])
        level = 0 if value is None else 1 + sum(value > limit for limit in (50, 100, 150, 200, 300))
        features.append({"type": "Feature", "geometry": {"type": "Point", "coordinates": [round(114.12 + 1.4 * ((i * 0.618) % 1), 4), round(25.1 + (i + 0.5) / 14, 4)]},
                         "properties": {"uid": f"s{i}", "name": pick(f"{'东南西北中'[i % 5]}湖站", f"Station {i + 1}"), "value": value, "text": "–" if value is None else str(value), "aqi": level, "url": "/detail", "rows": [["AQI", str(value or "–")], ["PM2.5", "68 µg/m³"]]}})
    return {"type": "FeatureCollection", "features": features}


def get_wall(quiet: bool = False) -> dict[str, Any]:
    rng = random.Random(2)
    spark = lambda base, span: ",".join(f"{base + span * math.sin(i / 3) + rng.uniform(-span, span) / 2:.1f}" for i in range(24))
    rows = [("air", "空气优良天数比例", "Days of good air", "88.6", "%", "目标 ≥ 85", "target ≥ 85", "up", "yes", "较去年 +1.2", "+1.2 on last year", "ok", "", "", spark(87, 2), 85),
            ("pm25", "细颗粒物 PM2.5", "Fine particles", "63.4", "µg/m³", "限值 75", "limit 75", "up", "no", "较上小时 +4.1", "+4.1 on last hour", "watch", "接近限值", "near limit", spark(58, 9), 75),
            ("online", "设备在线率", "Things online", "97.8", "%", "目标 ≥ 95", "target ≥ 95", "flat", "", "持平", "unchanged", "ok", "", "", spark(97, 0.8), 95),
            ("cases", "按期办结率", "Closed in time", "91.2", "%", "目标 ≥ 95", "target ≥ 95", "down", "no", "较上周 −1.6", "−1.6 on last week", "bad", "未达标", "below target", spark(93, 2), 95),
            ("open", "在办案件", "Open cases", "23", "件" , "其中超期 2", "2 overdue", "up", "no", "较昨日 +5", "+5 on yesterday", "ok", "", "", spark(20, 4), None)]
    vitals = [Object(id=i, label=pick(zh, en), text=text, unit=unit if unit != "件" else pick("件", ""), target_text=pick(tz, te), trend=trend, trend_good=good, delta_text=pick(dz, de), band=band, band_text=pick(bz, be), spark=line, target=target) for i, zh, en, text, unit, tz, te, trend, good, dz, de, band, bz, be, line, target in rows]
    return {"city": Object(name=pick("澄江市", "Chengjiang City"), uid="city"), "headline": Object(aqi=86, level=2, category=pick("良", "Good"), primary=pick("首要污染物 PM2.5", "primary PM2.5")), "vitals": vitals,
            "stream": [] if quiet else [get_stream_item(i) for i in range(10)], "open_total": 0 if quiet else 23, "map": get_map(), "live_url": "/live/wall", "status": Object(things_text=pick("在线 978 / 1,000", "978 / 1,000 online"), rate_text=pick("每秒 164 条", "164 readings/s"))}


def get_stream_item(i: int) -> Object:
    level, zh, en = [("orange", "橙色", "Orange"), ("yellow", "黄色", "Yellow"), ("red", "红色", "Red"), ("blue", "蓝色", "Blue")][(i * 3 + 2) % 4]
    title = [("PM2.5 小时浓度超过限值", "PM2.5 above the hourly limit"), ("采样管加热温度过低", "Sampling tube too cold"), ("站点通信中断", "Station silent"), ("臭氧连续三小时上升", "Ozone rising for three hours")][i % 4]
    kind = [("告警", "alarm"), ("案件", "case"), ("事件", "event")][i % 3]
    return Object(id=f"a{i}", level=level, level_label=pick(zh, en), kind_label=pick(*kind), title=pick(*title), place=pick("青浦区永安街道", "Yong'an, Qingpu"), state=pick("处置中", "acting") if i % 3 == 1 else "", at=datetime.now(ZONE) - timedelta(minutes=i * i * 3 + 1), url="/detail")


def render(path: str, query: dict[str, list[str]], nonce: str) -> str | None:
    bound = "errors" in query
    form = PreviewForm({"name": "", "kind": "a"} if bound else None)
    pages: dict[str, tuple[str, Any]] = {
        "/wall": ("portal/screen/wall.html", get_wall), "/quiet": ("portal/screen/wall.html", lambda: get_wall(quiet=True)), "/list": ("portal/desk/list.html", get_list), "/empty": ("portal/desk/list.html", lambda: get_list(empty=True)),
        "/detail": ("portal/desk/detail.html", get_detail),
        "/form": ("portal/desk/form.html", lambda: {"title": pick("登记设备", "Register a thing"), "form": form, "cancel_url": "/list", "shell": get_shell("form"), "messages": [SavedMessage()]}),
        "/confirm": ("portal/desk/confirm.html", lambda: {"title": pick("作废案件", "Void the case"), "question": pick("确定作废案件 HJ-2026-01180 吗？", "Void case HJ-2026-01180?"), "consequences": [pick("经办人会收到通知", "The officer in charge is told")], "confirm_label": pick("作废", "Void"), "danger": True, "cancel_url": "/detail", "shell": get_shell("confirm")}),
        "/login": ("portal/auth/login.html", lambda: {"form": LoginForm({} if bound else None), "city": pick("澄江市", "Chengjiang City"), "site_name": pick("中枢", "zhongshu")}), "/totp": ("portal/auth/totp.html", lambda: {"form": CodeForm(), "city": pick("澄江市", "Chengjiang City"), "site_name": pick("中枢", "zhongshu"), "back_url": "/login"}),
        "/403": ("portal/error.html", lambda: {"status": 403, "path": "/desk/x"}), "/404": ("portal/error.html", lambda: {"status": 404, "path": "/desk/x"}), "/500": ("portal/error.html", lambda: {"status": 500}),
    }
    if path not in pages:
        return None
    name, context = pages[path]
    request = HttpRequest()
    request.path = path
    return render_to_string(name, context() | {"csp_nonce": nonce}, request)


class Preview(BaseHTTPRequestHandler):
    """Pages, static files, invented data and an invented live stream."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        language = query.get("lang", [""])[0] or ("en" if "lang=en" in self.headers.get("Referer", "") else "zh-hans")
        nonce = secrets.token_urlsafe(12)
        with translation.override(language):
            if parts.path.startswith("/live/"):
                return self.stream()
            if parts.path.startswith("/static/"):
                return self.send_static(PORTAL / "static" / parts.path.removeprefix("/static/"))
            if parts.path.endswith(".json") or parts.path.endswith(".geojson"):
                name = parts.path.strip("/").rsplit(".", 1)[0]
                data = get_chart() if name == "chart" else get_things("") if name == "things" else get_divisions(name.removeprefix("divisions/"))
                return self.send_bytes(json.dumps(data).encode(), "application/json", nonce)
            page = render(parts.path, query, nonce)
        return self.send_bytes((page or "no such page").encode(), "text/html; charset=utf-8", nonce, 200 if page else 404)

    def send_static(self, path: Path) -> None:
        if not path.resolve().is_relative_to(PORTAL / "static") or not path.is_file():
            return self.send_bytes(b"", "text/plain", "", 404)
        return self.send_bytes(path.read_bytes(), mimetypes.guess_type(path.name)[0] or "application/octet-stream", "")

    def send_bytes(self, body: bytes, kind: str, nonce: str, status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if kind.startswith("text/html"):
            self.send_header("Content-Security-Policy", CSP.format(nonce=nonce))
        self.end_headers()
        self.wfile.write(body)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        try:
            for count in range(10_000):
                for name, data in (("status", {"now": time.time(), "delay_s": 0.4}), ("map", {"layer": "things", "changes": [{"uid": "s1", "value": 160 + count, "text": str(160 + count), "aqi": 4}]}),
                                   ("vitals", {"items": [{"id": "pm25", "text": f"{63.4 + count % 5:.1f}"}]})):
                    self.wfile.write(f"id: {count}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode())
                if count == 1:
                    item = vars(get_stream_item(2)) | {"id": "new", "at": datetime.now(ZONE).isoformat()}
                    self.wfile.write(f"event: stream\ndata: {json.dumps({'op': 'add', 'item': item, 'open_total': 24})}\n\n".encode())
                self.wfile.flush()
                time.sleep(2)
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        return


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8899
    print(f"http://127.0.0.1:{port}/wall /list /detail /form /confirm /login /totp /404 (…?lang=en)")
    ThreadingHTTPServer(("127.0.0.1", port), Preview).serve_forever()
