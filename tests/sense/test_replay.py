"""The real Beijing stations as a data logger sends them: CSV → TCP frames → log → pipeline → lake, against the figures of the data's README."""

import asyncio
import gzip
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from zhongshu.config.cli.replay import PASSWORD, PROFILE, build_mn
from zhongshu.demo.replay import FACTORS, PrsaError, Sender, SenderError, read_prsa
from zhongshu.kernel.home import Gateway, House
from zhongshu.security.identity.credential import hash_secret
from zhongshu.sense.gateway.process import open_gateway
from zhongshu.sense.gateway.sources import SourceSpec, write_sources
from zhongshu.sense.observe import publish_streams
from zhongshu.sense.pipeline.pipeline import Pipeline, PipelineSettings

EXPECTED = {  # ../shared/data/README.md: PM2.5 mean, missing hours
    "Aotizhongxin": (82.7736, 925),
    "Dingling": (65.9895, 779),
    "Guanyuan": (82.9334, 616),
    "Huairou": (69.6264, 953),
    "Shunyi": (79.4916, 913),
    "Wanliu": (83.3747, 382),
}
HEADER = '"No","year","month","day","hour","PM2.5","PM10","SO2","NO2","CO","O3","TEMP","PRES","DEWP","RAIN","wd","WSPM","station"\n'


def write_csv(path, rows):
    with gzip.open(path, "wt") as out:
        out.write(HEADER)
        for n, (day, hour, pm25, co) in enumerate(rows, 1):
            out.write(f'{n},2017,2,{day},{hour},{pm25},5,4,7,{co},77,-0.7,1023.5,-18.8,0,"NNW",4.4,"Here"\n')
    return path


def build_house(folder, stations):
    specs = [SourceSpec(f"hj212:{build_mn(s)}", s, "hj212", PROFILE, hash_secret(f"hj212:{build_mn(s)}", PASSWORD)) for s in stations]
    write_sources(folder / "dim", 1, specs)
    ids = [f"hj212:{build_mn(s)}/{code}-Avg" for s in stations for code, _ in FACTORS.values()]
    publish_streams(pa.table({"ordinal": pa.array(range(len(ids)), pa.int64()), "external_id": ids}), folder)
    return House(home=folder, gateway=Gateway(hj212_port=0))


def play(house, series, **options):
    async def story():
        async with open_gateway(house) as parts:
            senders = [Sender(hours, build_mn(hours.station), PASSWORD, "127.0.0.1", parts.server.port, **options) for hours in series]
            await asyncio.gather(*(sender.run() for sender in senders))
            return senders, dict(parts.counters.sources)

    return asyncio.run(story())


def bring_to_lake(house):
    pipeline = Pipeline(PipelineSettings(house.home))
    while pipeline.step():
        pass
    pipeline.close()


def read_lake(house, query):
    from zhongshu.kernel.lake import Lake

    lake = Lake(house.home / "lake")
    with lake.connect(("observation",)) as connection:
        found = connection.sql(query).fetchall()
    lake.close()
    return found


def check_station(house, place, station, hours):
    first = place * len(FACTORS)
    rows = read_lake(house, f"SELECT count(*), avg(value), count(*) FILTER (value IS NULL), count(*) FILTER (quality <> 0) FROM observation WHERE stream = {first}")
    count, mean, missing, flagged = rows[0]
    assert (count, round(mean, 4), missing) == (35_064, *EXPECTED[station])
    assert flagged >= missing


@pytest.mark.parametrize("stations", [("Aotizhongxin",), pytest.param(tuple(EXPECTED), marks=pytest.mark.long)])
def test_the_lake_reproduces_the_means_and_missing_hours_of_the_real_stations(tmp_path, real_data, stations):
    series = [read_prsa(real_data / "air_quality" / f"PRSA_Data_{station}_20130301-20170228.csv.gz") for station in stations]
    house = build_house(tmp_path, stations)
    senders, counters = play(house, series)
    assert [(s.sent, s.answered) for s in senders] == [(35_064, 35_064)] * len(stations)
    assert all(counters[f"hj212:{build_mn(s)}"].refused == {} for s in stations)
    bring_to_lake(house)
    for place, station in enumerate(stations):
        check_station(house, place, station, series[place])
    start = datetime(2013, 3, 1, tzinfo=ZoneInfo("Asia/Shanghai"))
    us = round(start.timestamp() * 1_000_000)
    co = list(FACTORS).index("CO")
    assert read_lake(house, f"SELECT value FROM observation WHERE stream = {co} AND t = {us}") == [(0.3,)]


def test_units_flags_and_the_hours_beginning_arrive_as_declared(tmp_path):
    hours = read_prsa(write_csv(tmp_path / "here.csv.gz", [(27, 23, "8", "300"), (28, 0, "NA", "NA")]))
    house = build_house(tmp_path, ["Here"])
    play(house, [hours])
    bring_to_lake(house)
    pm25, co, pressure = (list(FACTORS).index(name) for name in ("PM2.5", "CO", "PRES"))
    first = round(datetime(2017, 2, 27, 15, tzinfo=UTC).timestamp() * 1_000_000)
    rows = read_lake(house, f"SELECT stream, t, value, quality FROM observation WHERE stream IN ({pm25}, {co}, {pressure}) ORDER BY t, stream")
    later = first + 3_600_000_000
    assert rows[:3] == [(pm25, first, 8.0, 0), (co, first, 0.3, 0), (pressure, first, 102.35, 0)]
    assert rows[3:] == [(pm25, later, None, 16), (co, later, None, 16), (pressure, later, 102.35, 0)]


def test_as_now_keeps_the_hour_of_day_and_leaves_out_hours_that_are_not_over(tmp_path):
    hours = read_prsa(write_csv(tmp_path / "here.csv.gz", [(28, hour, str(hour), "300") for hour in range(24)]))
    moved, days = hours.shift_days(datetime(2026, 8, 1, 9, 30, tzinfo=UTC))
    assert moved.start[-1] == datetime.fromisoformat("2026-08-01T08:00") and len(moved) == 9
    assert moved.values["a34004"] == tuple(map(str, range(9))) and days == 3441


def test_what_was_not_answered_is_sent_again_on_a_new_connection(tmp_path):
    hours = read_prsa(write_csv(tmp_path / "here.csv.gz", [(28, hour, str(hour), "300") for hour in range(24)]))
    house = build_house(tmp_path, ["Here"])

    async def story():
        async with open_gateway(house) as parts:
            broken = 0

            async def swallow(reader, writer):
                nonlocal broken
                broken += 1
                if broken == 1:
                    await reader.read(2000)
                    writer.close()
                    return
                inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", parts.server.port)

                async def pump(source, sink):
                    while data := await source.read(65536):
                        sink.write(data)
                    sink.close()

                await asyncio.gather(pump(reader, inner_writer), pump(inner_reader, writer), return_exceptions=True)

            between = await asyncio.start_server(swallow, "127.0.0.1", 0)
            sender = Sender(hours, build_mn("Here"), PASSWORD, "127.0.0.1", between.sockets[0].getsockname()[1])
            await sender.run()
            between.close()
            return sender

    sender = asyncio.run(story())
    assert (sender.answered, sender.resent) == (24, 24)
    bring_to_lake(house)
    assert read_lake(house, "SELECT count(*), count(DISTINCT t) FROM observation WHERE stream = 0") == [(24, 24)]


def test_a_gateway_that_is_not_there_is_told_in_words(tmp_path):
    hours = read_prsa(write_csv(tmp_path / "here.csv.gz", [(28, 0, "1", "300")]))
    with pytest.raises(SenderError, match="0 of 1 hours"):
        asyncio.run(Sender(hours, "MN", PASSWORD, "127.0.0.1", 1, give_up_s=0.5).run())


@pytest.mark.parametrize(("rows", "words"), [([(28, 0, "x", "300")], "not a number"), ([(28, 0, "1", "300"), (28, 2, "1", "300")], "without gaps"), ([], "no hours")])
def test_a_file_that_cannot_be_played_is_refused_with_the_reason(tmp_path, rows, words):
    with pytest.raises(PrsaError, match=words):
        read_prsa(write_csv(tmp_path / "bad.csv.gz", rows))
