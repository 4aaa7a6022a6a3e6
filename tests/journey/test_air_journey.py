"""Real air of Beijing goes the whole way: CSV → TCP frames → value on the screen → alarm → event → case → closed → indicator, through real processes and real pages."""

import datetime as dt
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.ops.conftest import wait_for

from . import oracle
from .browser import find_text

ZONE = ZoneInfo("Asia/Shanghai")
PASSWORD = "river-stone-and-pine"
MAIN, OTHER = "Aotizhongxin", "Huairou"  # in one county each
COUNTY = {MAIN: "990101", OTHER: "990102"}
FACTOR = {"so2": "a21026", "no2": "a21004", "co": "a21005", "pm10": "a34002", "pm25": "a34004", "o3": "a05024"}
HOUR_US = 3_600_000_000
EXPECTED = {  # ../shared/data/README.md: PM2.5 mean, missing hours
    "Aotizhongxin": (82.7736, 925),
    "Dingling": (65.9895, 779),
    "Guanyuan": (82.9334, 616),
    "Huairou": (69.6264, 953),
    "Shunyi": (79.4916, 913),
    "Wanliu": (83.3747, 382),
}


class Played:
    """The hours that were sent: per station the values of the last days of the cut file, and when the first of them began."""

    def __init__(self, house, folder, air):
        files = {name: air / f"PRSA_Data_{name}_20130301-20170228.csv.gz" for name in (MAIN, OTHER)}
        whole = {name: oracle.read_station(path) for name, path in files.items()}
        chosen = oracle.choose_end(whole[MAIN], whole[OTHER], dt.datetime.now(ZONE).hour)
        days = -(-chosen // 24) if chosen % 24 else chosen // 24 + 1  # the last day of the cut file becomes today
        for path in files.values():
            oracle.cut_file(path, folder / path.name, days)
        paths = [str(folder / path.name) for path in files.values()]
        said = house.run("replay", "air-quality", *paths, "--as-now", "--last-days", str(oracle.DAYS), "--speed", "0", "--organisation", "dept-environment").stdout
        assert f"{2 * oracle.DAYS * 24} hours of 2 stations taken" in said, said
        last = dt.datetime.fromisoformat(re.search(rf"{MAIN}: moved .* last hour (\S+ \S+),", said)[1]).replace(tzinfo=ZONE)
        self.count = oracle.DAYS * 24
        end = (days - 1) * 24 + last.hour + 1 if last.date() == dt.datetime.now(ZONE).date() else (days - 1) * 24
        self.hours = {name: {item: values[end - self.count : end] for item, values in series.items()} for name, series in whole.items()}
        self.first = last - dt.timedelta(hours=self.count - 1)
        self.last = last
        self.edition = 2026 if last.date() >= dt.date(2026, 3, 1) else 2012

    def at(self, hour):
        return self.first + dt.timedelta(hours=hour)

    def compute_now(self, *stations):
        return oracle.compute_hour(self.edition, [self.hours[name] for name in stations], self.count - 1)


def us(at):
    return round(at.timestamp() * 1_000_000)


def test_real_air_becomes_a_value_an_alarm_a_case_and_an_indicator(house, tmp_path, real_data):
    pids = house.run_all()
    leader = house.open_browser("leader", PASSWORD)
    assert read_vital(leader, "screen-cases_in_time") == "–"

    played = Played(house, tmp_path, real_data / "air_quality")
    check_lake(house, played)
    house.ask_house("jobs", "sense.lake.rollup", "sense.lake.keep", "environment.air.index", "brain.rule.run", "brain.indicator.compute")
    facts = house.ask_house("facts")
    assert {name: (s["division"], s["organisation"]) for name, s in facts["stations"].items()} == {n: (c, "dept-environment") for n, c in COUNTY.items()}

    check_screen(leader, played, facts)
    excursion = check_alarms(leader, played)
    case = check_case(leader, played)
    work_case(house, played, excursion, case)
    check_indicators(house, leader, played)
    check_house(house, leader)
    end_house(house, pids)


def check_lake(house, played):
    """Every hour is in the lake, each once, missing ones flagged; what was sent is what is stored."""
    sql = """SELECT s.external_id AS stream, o.t, o.value, o.quality FROM observation o JOIN stream s ON o.stream = s.ordinal
             WHERE o.t >= {} AND s.property IN ({}) ORDER BY s.external_id, o.t""".format(us(played.first), ", ".join(f"'{c}-Avg'" for c in FACTOR.values()))
    wanted = 2 * len(FACTOR) * played.count
    played.rows = wait_for(lambda: (rows := house.select(sql)) and len(rows) >= wanted and rows, 30, "the arrival of all hours in the lake")
    assert len(played.rows) == wanted
    streams = {}
    for row in played.rows:
        streams.setdefault(row["stream"], []).append(row)
    for name, hours in played.hours.items():
        for item, factor in FACTOR.items():
            own = [s for s in streams if s.endswith(f"/{factor}-Avg") and matches(streams[s], hours[item])]
            assert own, f"{name} {item} is not in the lake as in the file"
    assert [row["t"] for row in next(iter(streams.values()))] == [us(played.at(h)) for h in range(played.count)]


def matches(rows, values):
    stored = [row["value"] if row["quality"] == 0 else None for row in rows]
    return stored == [None if value is None else float(value) for value in values]


def check_screen(leader, played, facts):
    """Index, primary pollutant and edition of station, county and city: on the wall, on the map, in the stream of events."""
    city, primary = played.compute_now(MAIN, OTHER)
    page = leader.get("/screen/")
    assert re.search(r'data-zs="aqi">([^<]*)<', page)[1] == str(city)
    shown = re.search(r'data-zs="primary">([^<]*)<', page)[1]
    assert f"HJ 633-{played.edition}" in shown and ("primary" in shown) == bool(primary)

    root = facts["divisions"]["990100"]
    counties = {f["properties"]["uid"]: f["properties"]["value"] for f in leader.get_json(f"/screen/map/{root}/divisions.geojson")["features"]}
    assert counties == {facts["divisions"][COUNTY[name]]: played.compute_now(name)[0] for name in (MAIN, OTHER)}
    things = {f["properties"]["uid"]: f["properties"] for f in leader.get_json(f"/screen/map/{root}/things.geojson")["features"]}
    for name in (MAIN, OTHER):
        at = things[facts["stations"][name]["thing"]]
        assert (at["title"], at["value"]) == (name, played.compute_now(name)[0])
        pm25 = next(row[1] for row in at["rows"] if row[0].startswith("PM2.5"))
        assert pm25.startswith(f"{float(played.hours[name]['pm25'][-1]):.0f} "), pm25

    events = leader.listen(f"/live/screen?division={root}", lambda name, data: name == "stream")
    said = dict(events)
    assert said["headline"]["aqi"] == city and f"HJ 633-{played.edition}" in said["headline"]["primary"]
    maps = [data["changes"] for name, data in events if name == "map" and data["layer"] == "things"]
    assert {c["uid"]: c["value"] for c in maps[0]} == {facts["stations"][n]["thing"]: played.compute_now(n)[0] for n in (MAIN, OTHER)}


def check_alarms(leader, played):
    """One alarm for each time a limit was exceeded, however many hours that lasted; those older than 48 h are historical."""
    rows = leader.get_json("/api/v1/sense-alarm?limit=200")["items"]
    told = {(a["thing"]["title"], a["started_at"], a["limit"]): a for a in rows}
    expected, recent = {}, None
    for name, hours in played.hours.items():
        for item, begin, end, above in oracle.find_excursions(hours, 0, played.count):
            is_old = begin < played.count - oracle.OLD
            expected[name, played.at(begin).astimezone(dt.UTC).isoformat(), float(oracle.LIMITS[item][0])] = (is_old, "cleared" if end else "raised")
            if name == MAIN and not is_old:
                recent = (item, begin, end, above)
    assert {key: (a["historical"], a["state"]) for key, a in told.items()} == expected
    assert len(rows) == len(expected)
    assert recent is not None and recent[3] >= 6, "the day was chosen to have one long excursion"
    return recent


def check_case(leader, played):
    """The excursion is one event and one case; the old one is an event without a case."""
    events = [e for e in leader.get_json("/api/v1/brain-city-event?limit=200")["items"] if e["thing"]["title"] == MAIN]
    assert [e["historical"] for e in sorted(events, key=lambda e: e["started_at"])].count(False) == 1
    assert any(e["historical"] for e in events)
    cases = [c for c in leader.get_json("/api/v1/work-case?limit=200")["items"] if c["title"].startswith(f"{MAIN}:")]
    assert [(c["state"], c["kind"], c["organisation"]["title"]) for c in cases] == [("opened", "environment.air_pollution", "江城市生态环境局")]
    event = next(e for e in events if not e["historical"])
    assert cases[0]["event_uid"] == event["uid"] and cases[0]["division"]["title"] == "南河区"
    return cases[0]


def work_case(house, played, excursion, case):
    """Over the pages: the list shows it, the officer takes, assigns, starts and reports it, may not check it, and somebody else closes it."""
    officer, checker = (house.open_browser(login, PASSWORD) for login in ("officer", "checker"))
    page = f"/desk/cases/{case['uid']}/"
    todo = officer.get("/")
    assert officer.path == "/desk/" and page in todo and case["case_no"] in find_text(todo)
    opened = officer.get(page)
    text = find_text(opened)
    item, begin, _end, _above = excursion
    value, limit = float(played.hours[MAIN][item][begin]), oracle.LIMITS[item][0]
    measured = text[text.index("What was measured") :]
    assert re.search(rf"Until PM2\.5 超标 Yellow[^0-9]* {value:g} µg/m³ {limit:g} µg/m³", measured), measured
    assert "Division 南河区" in text and "first limit" not in text, text
    series = officer.get_json(re.search(r'data-src="([^"]*series\.json[^"]*)"', opened)[1].replace("&amp;", "&"))
    assert value in [float(number) for number in re.findall(r"\d+(?:\.\d+)?", str(series))]
    place = officer.get_json(f"{page}place.geojson")["features"][0]["geometry"]["coordinates"]
    assert place == [116.397, 39.982]

    acts = [("accept", "ours"), ("assign", "near by"), ("start", "on the way"), ("report", "dust at the site is covered")]
    for name, note in acts:
        officer.submit(f"{page}{name}/", note=note, **choose_person(officer, page, name, "李办"))
    refused = officer.get(f"{page}pass/")
    assert officer.path == page and "not for you" in find_text(refused)
    assert "Checked, close" not in find_text(officer.get(page)) and page not in officer.get("/desk/")

    assert page in checker.get("/desk/")
    checker.submit(f"{page}pass/", note="seen on site")
    closed = find_text(checker.get(page))
    trail = closed[closed.index("Trail") :]
    places = [trail.index(words) for words in ("Checked, close", "Done, send for checking", "Start work", "Assign", "Accept", "Opened")]
    assert places == sorted(places), "the trail stands newest first"
    assert trail[places[0] :].startswith("Checked, close → closed 王核") and "dust at the site is covered" in trail and "seen on site" in trail
    assert trail.count("李办") == 4 and page not in checker.get("/desk/")


def choose_person(browser, page, act, name):
    """Take a name from the form's list, as one does with the mouse."""
    if act != "assign":
        return {}
    return {"assignee": re.search(rf'<option value="([^"]+)">{name}', browser.get(f"{page}{act}/"))[1]}


def check_indicators(house, leader, played):
    """The share of cases in time moved, and the mean of PM2.5 is what the raw hours of the lake give by hand."""
    house.ask_house("jobs", "brain.indicator.compute")
    assert read_vital(leader, "screen-cases_in_time") == "100.0"
    by_day = {}
    for row in played.rows:
        if row["stream"].endswith("/a34004-Avg") and row["quality"] == 0:
            day = dt.datetime.fromtimestamp(row["t"] / 1e6, ZONE).date()
            by_day.setdefault(day, {}).setdefault(row["stream"], []).append(row["value"])
    today, days = dt.datetime.now(ZONE).date(), []
    for day, stations in by_day.items():
        means = [sum(values) / len(values) for values in stations.values() if len(values) >= 20]  # GB 3095: 20 valid hours a day
        if means and day < today and (day.year, day.month) == (today.year, today.month):
            days.append(sum(means) / len(means))
    shown = read_vital(leader, "environment-air_pm25_mean")
    assert days or today.day == 1
    assert shown == (f"{sum(days) / len(days):.1f}" if days else "–")


def read_vital(browser, name):
    item = browser.get("/screen/").split(f'data-zs-vital="{name}"')[1]
    return re.search(r'data-zs="value">([^<]*)<', item)[1].strip()


def check_house(house, leader):
    """The trail is whole, everybody is well, and the schedule keeps the lake."""
    assert leader.get_json("/health") == {"status": "ok", "parts": dict.fromkeys(("web", "gateway", "pipeline", "worker", "records"), "ok")}
    assert "the trail is whole" in wait_for(lambda: (said := house.run("verify-audit").stdout) and ", 0 not sealed" in said and said, 20, "the sealing of the trail")
    assert {"sense.lake.rollup", "sense.lake.keep", "environment.air.index", "brain.rule.run", "brain.indicator.compute"} <= set(house.ask_house("facts")["scheduled"])
    hours = house.select("SELECT count(DISTINCT hour) AS n, sum(n_valid)::BIGINT AS valid FROM rollup_hour")[0]
    raw = house.select(f"SELECT count(DISTINCT t // {HOUR_US}) AS n, (count(*) FILTER (quality = 0))::BIGINT AS valid FROM observation")[0]
    assert hours == raw


def end_house(house, pids):
    status, said = house.end_all()
    assert status == 0, said
    assert "Traceback" not in said and "ended with" not in said, said
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


@pytest.mark.parametrize("stations", [("Aotizhongxin",), pytest.param(tuple(EXPECTED), marks=pytest.mark.long)], ids=["one", "six"])
def test_with_original_times_the_lake_gives_the_known_means_and_the_index_of_its_day(house, real_data, stations):
    house.run_all()
    paths = [str(real_data / "air_quality" / f"PRSA_Data_{name}_20130301-20170228.csv.gz") for name in stations]
    said = house.run("replay", "air-quality", *paths, "--speed", "0", timeout=600).stdout
    assert f"{35_064 * len(stations)} hours of {len(stations)} stations taken" in said, said
    sql = """SELECT t.name, count(*) AS hours, round(avg(o.value) FILTER (o.quality = 0), 4) AS mean, count(*) FILTER (o.value IS NULL) AS missing
             FROM observation o JOIN stream s ON o.stream = s.ordinal JOIN thing t ON s.thing_uid = t.uid
             WHERE s.property = 'a34004-Avg' GROUP BY t.name"""

    def find_whole():
        rows = house.select(sql)
        return rows if [row["hours"] for row in rows] == [35_064] * len(stations) else None

    whole = wait_for(find_whole, 300, "the arrival of all hours in the lake")
    assert {row["name"]: (row["mean"], row["missing"]) for row in whole} == {name: EXPECTED[name] for name in stations}
    house.ask_house("jobs", "environment.air.index")
    editions = house.ask_house("editions")
    assert set(editions) == {"HJ 633-2012"} and editions["HJ 633-2012"] >= 1200 * len(stations)
    status, said = house.end_all()
    assert status == 0 and "Traceback" not in said, said
