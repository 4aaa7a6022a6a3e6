"""What must come out, in plain Python from the file alone: which day to play, which limits are exceeded when, and the index. Nothing of zhongshu is imported."""

import csv
import gzip

from tests.packs.test_aqi_plain_formula import ORDER, exact, hourly, mean, read_station, running_means

__all__ = ["DAYS", "LIMITS", "OLD", "choose_end", "compute_hour", "cut_file", "find_excursions", "read_station"]

LIMITS = {"pm25": (75, 70), "pm10": (150, 140), "o3": (200, 190), "no2": (200, 190), "so2": (500, 475), "co": (10, exact("9.5"))}
"""Above the first an alarm begins, at or below the second it ends; µg/m³, CO mg/m³ (GB 3095-2012, table 1, and the local limits of the environment pack)."""

DAYS = 3
OLD = 48
"""Alarms on data older than this many hours are historical."""


def _walk(values, limit, clear, first, last):
    found, since, above = [], None, 0
    for hour in range(first, last):
        value = values[hour]
        if value is None:
            continue
        if value > limit:
            since, above = (hour, 1) if since is None else (since, above + 1)
        elif since is not None and value <= clear:
            found.append((since, hour, above))
            since = None
    return [*found, (since, None, above)] if since is not None else found


def find_excursions(hours, first, last):
    """(pollutant, begin, end or None, hours above) of all pollutants within hours `first` to `last` (excluded)."""
    return [(name, *one) for name in ORDER for one in _walk(hours[name], *LIMITS[name], first, last)]


def choose_end(main, other, hour):
    """Choose the hour (index in the file) at which the played series may end when it is now `hour` o'clock, so that the main station has one excursion of six hours or
    more in the last two days (and all its bad hours belong to it), one before, and calm between them; it must still be so should the clock strike meanwhile."""
    for day in range(DAYS + 1, len(main["pm25"]) // 24):
        ends = (day * 24 + hour, day * 24 + hour + 1 if hour < 23 else day * 24)
        if all(_is_telling(main, other, end) for end in ends):
            return ends[0]
    raise AssertionError("no such days in the file")


def _is_telling(main, other, end):
    if any(series[name][end - 1] is None for series in (main, other) for name in ORDER):
        return False
    edge, found = end - OLD - 2, find_excursions(main, end - DAYS * 24, end)
    before, recent = ([x for x in found if x[1] <= edge], [x for x in found if x[1] > edge])
    if not before or any(x[2] is None or x[2] > edge for x in before) or len(recent) != 1:
        return False
    name, begin, over, above = recent[0]
    if name != "pm25" or begin < end - OLD + 4 or over is None or over > end - 4 or above < 6:
        return False
    # three bad hours are a result of the window rule; those of the last two days must lie near the excursion
    bad = [h for h in range(end - DAYS * 24, end - 2) if all(v is not None and v > 60 for v in main["pm25"][h : h + 3])]
    return all(begin - 4 <= h <= over + 2 for h in bad if h + 3 > edge)


def cut_file(source, target, days):
    """Copy the first `days` days of a file as they are."""
    with gzip.open(source, "rt", encoding="utf-8") as file, gzip.open(target, "wt", encoding="utf-8", newline="") as out:
        rows = csv.reader(file)
        writer = csv.writer(out)
        for number, row in enumerate(rows):
            if number > days * 24:
                return
            writer.writerow(row)


def average(stations):
    """Mean of stations hour by hour, of those that have a value."""
    columns = {name: zip(*(hours[name] for hours in stations), strict=True) for name in ORDER}
    return {name: [mean(values, 1) for values in column] for name, column in columns.items()}


def compute_hour(edition, stations, hour):
    """Index and primary pollutants of one hour: of one station, or of the mean concentrations of several. `stations` hold only the hours that were sent."""
    running = {name: average_lists([running_means(s[name], length, least) for s in stations]) for name, length, least in RUNNING}
    means = average(stations)
    return hourly(edition, {name: means[name][hour] for name in ORDER}, {name: column[hour] for name, column in running.items()})[1:]


RUNNING = (("so2", 24, 20), ("pm10", 24, 20), ("pm25", 24, 20), ("o3", 8, 6))


def average_lists(columns):
    return [mean(values, 1) for values in zip(*columns, strict=True)]
