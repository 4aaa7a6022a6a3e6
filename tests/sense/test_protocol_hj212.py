"""HJ 212 through its public doors: bytes in, messages, readings and answers out."""

import csv
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zhongshu.sense.protocol import NO_TOLERANCE, PROTOCOLS, FrameError, Refusal, decode_lines
from zhongshu.sense.protocol.hj212 import (
    AMBIENT_UNITS,
    EDITIONS,
    Execution,
    HJ212Framer,
    HJ212Tolerance,
    Profile,
    Reassembler,
    RequestResult,
    build_answer,
    build_result,
    compute_crc,
    decode,
    find_unit_doubts,
    format_envelope,
    format_message,
    format_packet,
    format_packets,
    parse_profile,
    parse_segment,
    readings,
    texts,
    to_json,
)

REAL = Path(os.environ.get("ZHONGSHU_REALDATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))
FRAMES = REAL / "protocol_frames" / "hj212.tsv"
needs_frames = pytest.mark.skipif(not FRAMES.exists(), reason=f"real frames are not here: {FRAMES}")

STANDARD_EXAMPLE = b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80\r\n"
HEAD = "QN=20240101000000123;ST=22;CN={cn};PW=123456;MN=STATION01;Flag={flag};"


def build(area, cn="2061", flag=5, head=HEAD):
    return format_envelope(f"{head.format(cn=cn, flag=flag)}CP=&&{area}&&".encode())


def load_rows():
    with FRAMES.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def micros(text):
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * 1_000_000


@needs_frames
def test_every_real_frame_comes_out_as_expected_or_is_refused_with_its_reason():
    rows = load_rows()
    assert len(rows) == 92
    refused = 0
    for row, answer in zip(rows, decode_lines("hj212", [row["frame"] for row in rows], segment=True), strict=True):
        if row["crc_ok"] == "False":
            refused += 1
            assert answer["ok"] is False and answer["reason"] == "crc", row["id"]
            assert row["crc_stated"] in answer["error"] and row["crc_calc"] in answer["error"]
        else:
            expected = json.loads(row["expected_json"])
            assert {key: answer["message"][key] for key in ("head", "cp")} == expected, row["id"]
    assert refused == 5


@needs_frames
def test_real_frames_survive_a_glued_stream_cut_at_any_place():
    whole = [row["frame"].encode() for row in load_rows() if row["frame"].startswith("##")]
    stream = b"\r\n".join(whole) + b"\r\n"
    for size in (1, 7, 64, 1500, len(stream)):
        framer = HJ212Framer()
        out = [item for at in range(0, len(stream), size) for item in framer.feed(stream[at : at + size])]
        assert out + framer.close() == whole
        assert framer.skipped == 0


@needs_frames
def test_real_messages_are_written_again_byte_for_byte_when_they_were_clean():
    cosmetic = {HJ212Tolerance.NO_FLAG, HJ212Tolerance.LONG_TIME, HJ212Tolerance.REPEATED_NAME}
    written = 0
    for row in load_rows():
        if row["crc_ok"] == "True":
            message = decode(row["frame"].encode())
            if set(message.forgiven) <= cosmetic:
                assert format_message(message) == row["frame"].encode() + b"\r\n"
                written += 1
    assert written >= 6


def test_the_standards_example_is_read_and_written_with_the_right_checksum():
    message = decode(STANDARD_EXAMPLE)
    assert (message.cn, message.st, message.mn, message.flag) == ("1062", "32", "010000A8900016F000169DC0", 5)
    assert message.edition == "HJ 212-2017" and message.is_answer_wanted and message.forgiven == ()
    assert message.groups == ((("RtdInterval", "30"),),)
    assert format_message(message) == STANDARD_EXAMPLE
    assert compute_crc(STANDARD_EXAMPLE[6:-6]) == 0x1C80


@pytest.mark.parametrize(
    ("raw", "tolerance"),
    [
        (STANDARD_EXAMPLE.replace(b"##0101", b"##0099"), HJ212Tolerance.LENGTH_WRONG),
        (STANDARD_EXAMPLE.replace(b"##0101", b"##101"), HJ212Tolerance.LENGTH_DIGITS),
        (STANDARD_EXAMPLE.replace(b"1C80", b"1c80"), HJ212Tolerance.CRC_LOWER),
        (build("DataTime=20240101000000;a34004-Avg=1;"), HJ212Tolerance.STRAY_SEPARATOR),
        (build("DataTime=20240101000000;a34004-Avg=1,"), HJ212Tolerance.STRAY_SEPARATOR),
        (build("DataTime=20240101000000; a34004-Avg=1"), HJ212Tolerance.SPACES),
        (build("", head=HEAD + " "), HJ212Tolerance.SPACES),
        (build("DataTime=20240101000000;a34004-Avg=1,a34004-Avg=2"), HJ212Tolerance.REPEATED_NAME),
        (build("DataTime=20240101000000;a34004-Avg=1;a34004-Avg=2"), HJ212Tolerance.REPEATED_NAME),
        (build("DataTime=20240101000000;…"), HJ212Tolerance.FIELD_WITHOUT_VALUE),
        (build("DataTime=20240101000000;a34004Avg=1"), HJ212Tolerance.NO_HYPHEN),
        (build("DataTime=20240101000000000;a34004-Avg=1"), HJ212Tolerance.LONG_TIME),
        (build("", head="ST=22;CN=2011;PW=123456;MN=S1;"), HJ212Tolerance.NO_FLAG),
        (build("", head="ST=22;CN=2011;PW=123456;MN=S1;Flag=5;"), HJ212Tolerance.INCOMPLETE_HEAD),
        (build("", head="QN=1;ST=22;CN=2011;PW=123456;MN=S1;Flag=5;"), HJ212Tolerance.ODD_QN),
        (build("", head="QN=20240101000000123,ST=22;CN=2011;PW=1;MN=S1;Flag=5;"), HJ212Tolerance.HEAD_SEPARATOR),
        (build("", head="QN=20240101000000123;ST=22;CN=2011;PW=1;MN=S1;Flag=5"), HJ212Tolerance.HEAD_SEPARATOR),
        (build("DataTime=20240101000000;" + "a34004-Avg=1;" * 99 + "a34002-Avg=1"), HJ212Tolerance.LONG_SEGMENT),
    ],
)
def test_each_deviation_is_forgiven_by_name_and_refused_by_name_when_strict(raw, tolerance):
    assert tolerance in decode(raw).forgiven
    with pytest.raises(FrameError) as refusal:
        decode(raw, PROTOCOLS["hj212"].tolerances - {tolerance})
    assert refusal.value.reason == tolerance
    assert refusal.value.message.startswith("Refused because ")


def test_a_checksum_without_its_leading_zeros_is_forgiven_by_name():
    raw = next(raw for raw in (build(f"DataTime={n:014}") for n in range(9999)) if raw[-6:-5] == b"0")
    short = raw[:-6] + raw[-5:]
    assert decode(short).forgiven == (HJ212Tolerance.CRC_SHORT,)
    assert HJ212Framer().feed(short) == [short[:-2]]


def test_a_clean_packet_passes_the_strict_reading():
    assert decode(build("DataTime=20240101000000;a34004-Avg=1,a34004-Flag=N"), NO_TOLERANCE).forgiven == ()


def test_a_wrong_checksum_is_refused_though_everything_is_tolerated():
    for place in range(6, len(STANDARD_EXAMPLE) - 2):
        broken = bytearray(STANDARD_EXAMPLE)
        broken[place] ^= 0x01
        with pytest.raises(FrameError):
            decode(bytes(broken))


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "start"),
        (b"GET / HTTP/1.1", "start"),
        (b"##QN=1", "length"),
        (b"##0012", "no-crc"),
        (format_envelope(b"ST=22;CN=2011;MN=S1;CP=&&"), "data-area"),
        (format_envelope(b"ST=22;CN=2011;MN=S1;&&"), "data-area"),
        (build("a-Rtd=1&&b-Rtd=2"), "data-area"),
        (build("", head="ST=22;CN=2011;"), "head"),
        (build("", head="ST=22;CN=20x1;MN=1;"), "head"),
        (build("", head="ST=22;CN=2011;MN=;"), "mn"),
        (build("", head="ST=22;CN=2011;MN=S1;Flag=-1;"), "flag"),
        (build("", flag=7), "packet-number"),
        (build("", head="ST=22;CN=2011;MN=a/b;"), "mn"),
        (build("a/b-Rtd=1"), "name"),
        (build("a" * 65 + "-Rtd=1"), "name"),
        (build(";".join(["a-Rtd=1"] * 300)), "repeats"),
        (build("QUJDREVGR0hJSktMTU5PUA==", cn="2011", flag=9), "encrypted"),
        (format_envelope(b"ST=22;CN=2011;MN=S1;CP=&&a-Info=\xff\xff&&"), "text"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(raw, reason):
    with pytest.raises(FrameError) as refusal:
        decode(raw)
    assert refusal.value.reason == reason
    assert refusal.value.message.endswith(".")


def test_log_text_keeps_its_separators_and_its_chinese_in_both_encodings():
    area = "DataTime=20240101000000;PolId=w01018;i11001-Info=//清洗管路; done, ok//"
    message = decode(build(area, cn="3020"))
    assert message.find("i11001-Info") == "//清洗管路; done, ok//"
    assert [text.value for text in texts(message)] == ["清洗管路; done, ok"]
    assert readings(message) == []
    in_gb = format_envelope((HEAD.format(cn="3020", flag=5) + f"CP=&&{area}&&").encode("gb18030"))
    again = decode(in_gb)
    assert again.groups == message.groups and again.forgiven == (HJ212Tolerance.GB18030_TEXT,)


def test_repeated_names_are_all_listed_beside_the_projection():
    out = to_json(decode(build("DataTime=20240101000000;w00000-Avg=1,w00000-Max=3,w00000-Avg=2")))
    assert out["cp"][1] == {"w00000-Avg": "2", "w00000-Max": "3"}
    assert list(out["cp"][1]) == ["w00000-Avg", "w00000-Max"]
    assert out["repeated"] == [{"group": 1, "name": "w00000-Avg", "values": ["1", "2"]}]
    json.dumps(out)


def test_the_flag_tells_edition_and_wishes():
    assert [decode(build("", cn="9013", flag=flag)).edition for flag in (1, 5, 9)] == list(EDITIONS)
    assert decode(build("", flag=12)).edition == "HJ 212 (version 3)"
    message = decode(build("", flag=7, head=HEAD + "PNUM=3;PNO=2;"))
    assert message.packet == (2, 3)


# --- framing ---------------------------------------------------------------------------------------------------------


def test_rubbish_between_packets_is_counted_and_shown_once_per_stretch():
    framer = HJ212Framer()
    out = framer.feed(b"hello\r\n##\r\n#" + STANDARD_EXAMPLE + b"\r\n\r\n" + b"x" * 5000 + STANDARD_EXAMPLE)
    assert [item if isinstance(item, bytes) else (item.reason, item.size) for item in out] == [
        ("rubbish", 12),
        STANDARD_EXAMPLE[:-2],
        ("rubbish", 5000),
        STANDARD_EXAMPLE[:-2],
    ]
    assert framer.skipped == 5012
    assert len(out[2].raw) == 1024


def test_a_packet_whose_length_fits_ends_there_though_no_line_end_follows():
    bare = STANDARD_EXAMPLE[:-2]
    out = HJ212Framer().feed(bare + b"noise" + bare)
    assert [item if isinstance(item, bytes) else item.raw for item in out] == [bare, b"noise", bare]


def test_a_packet_cut_off_by_the_next_one_is_refused_and_the_next_one_read():
    out = HJ212Framer().feed(STANDARD_EXAMPLE[:60] + STANDARD_EXAMPLE)
    assert isinstance(out[0], Refusal) and out[0].reason == "cut-short" and out[0].raw == STANDARD_EXAMPLE[:60]
    assert out[1:] == [STANDARD_EXAMPLE[:-2]]


@pytest.mark.parametrize("stated", [b"##0001", b"##0099", b"##0130", b"##9999", b"##99999"])
def test_a_wrong_length_does_not_swallow_the_neighbours(stated):
    wrong = stated + STANDARD_EXAMPLE[6:]
    for end in (b"\r\n", b""):
        framer = HJ212Framer()
        got = framer.feed(wrong[:-2] + end + STANDARD_EXAMPLE) + framer.close()
        assert got == [wrong[:-2], STANDARD_EXAMPLE[:-2]]
    framer = HJ212Framer()
    assert framer.feed(wrong[:-2]) + framer.close() == [wrong[:-2]]


def test_endless_input_never_grows_the_buffer():
    for stuff in (b"#", b"##0100", b"##9999QN=", b"&&", b"\x00\xff", b"##1234AB", b"##9999QN=1;&&12"):
        framer = HJ212Framer()
        for _ in range(60):
            framer.feed(stuff * 200)
            assert len(framer._buffer) < 10_100 and len(framer._rubbish) <= 1024
        framer.close()


def test_a_packet_without_end_is_given_up_and_the_line_lives_on():
    framer = HJ212Framer()
    out = framer.feed(b"##9000QN=" + b"1" * 12_000 + b"\r\n" + STANDARD_EXAMPLE)
    assert [item.reason for item in out[:2]] == ["too-long", "rubbish"]
    assert out[2:] == [STANDARD_EXAMPLE[:-2]]


PIECES = st.sampled_from(
    [
        STANDARD_EXAMPLE,
        STANDARD_EXAMPLE[:-2],
        STANDARD_EXAMPLE[:50],
        STANDARD_EXAMPLE.replace(b"0101", b"0150"),
        build("DataTime=20240101000000;a34004-Avg=1;"),
        b"##",
        b"#",
        b"&&1C80",
        b"\r\n",
        b"##0101QN=",
        b"rubbish",
    ]
)


@settings(deadline=None)
@given(st.lists(PIECES | st.binary(max_size=40), max_size=12), st.lists(st.integers(1, 90), max_size=60))
def test_frames_do_not_depend_on_how_the_stream_was_cut(pieces, cuts):
    stream = b"".join(pieces)
    whole = HJ212Framer()
    expected = whole.feed(stream) + whole.close()
    framer, got, at = HJ212Framer(), [], 0
    for size in cuts:
        got += framer.feed(stream[at : at + size])
        at += size
    got += framer.feed(stream[at:]) + framer.close()
    assert got == expected
    assert framer.skipped == whole.skipped


@settings(deadline=None)
@given(st.binary(max_size=300) | st.lists(PIECES | st.binary(max_size=30), max_size=6).map(b"".join))
def test_nothing_but_a_refusal_leaves_the_codec(raw):
    for reader in (decode, parse_segment):
        try:
            message = reader(raw)
        except FrameError as error:
            assert error.reason and error.message
        else:
            json.dumps(to_json(message))


@settings(deadline=None)
@given(
    st.text(alphabet="QNSTCPWMFlag-=&;,/0123456789. DataTimeRtAv清\x00", max_size=200),
    st.sampled_from(["2011", "2061"]),
)
def test_any_data_area_with_a_right_checksum_is_read_or_refused(area, cn):
    try:
        message = decode(build(area, cn=cn))
        readings(message)
        texts(message)
        build_answer(message)
    except FrameError as error:
        assert error.reason


NAMES = st.from_regex(r"[awi][0-9]{5}-(Rtd|Avg|Min|Max|Cou|Flag)", fullmatch=True)
VALUES = st.from_regex(r"-?[0-9]{1,5}(\.[0-9]{1,3})?", fullmatch=True)
GROUPS = st.lists(st.lists(st.tuples(NAMES, VALUES), min_size=1, max_size=4), max_size=6)


@given(GROUPS, st.booleans(), st.sampled_from(["2011", "2051", "2061", "2031"]))
def test_what_is_written_is_read_back_the_same(groups, wants_answer, cn):
    raw = format_packet(cn=cn, mn="M1", st="22", pw="p", qn="20240101000000000", groups=groups, is_answer_wanted=wants_answer)
    message = decode(raw)
    assert [list(group) for group in message.groups] == groups
    assert message.is_answer_wanted is wants_answer
    assert set(message.forgiven) <= {HJ212Tolerance.REPEATED_NAME}
    assert format_message(message) == raw


@pytest.mark.parametrize("value", ["1;2", "1,2", "a&&b", "x\r\n", "//a//b//"])
def test_values_that_would_break_the_grammar_are_not_sent(value):
    with pytest.raises(ValueError, match="cannot be sent"):
        format_packet(cn="2011", mn="M", st="22", pw="p", qn=None, groups=[[("a34004-Rtd", value)]])


# --- meaning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cn", "field", "period", "end_label_start"),
    [
        ("2011", "Rtd", 0, "2024-01-01T01:00:00+08:00"),
        ("2051", "Avg", 600, "2024-01-01T00:50:00+08:00"),
        ("2061", "Avg", 3600, "2024-01-01T00:00:00+08:00"),
        ("2031", "Avg", 86400, "2023-12-31T01:00:00+08:00"),
    ],
)
def test_the_time_label_is_the_start_unless_the_profile_says_end(cn, field, period, end_label_start):
    message = decode(build(f"DataTime=20240101010000;a34004-{field}=35.5,a34004-Flag=N", cn=cn))
    (got,) = readings(message)
    assert got == (f"a34004-{field}", micros("2024-01-01T01:00:00+08:00"), period, 35.5, 0, "ng/m^3", 0)
    (ended,) = readings(message, Profile(label="end", units=AMBIENT_UNITS))
    assert (ended.t, ended.unit) == (micros(end_label_start), "ug/m^3")
    (abroad,) = readings(message, Profile(offset_s=0))
    assert abroad.t == micros("2024-01-01T01:00:00+00:00")


@pytest.mark.parametrize(
    ("flag", "quality"),
    [
        *zip("NFMSDCTB", (0, 10, 11, 12, 13, 14, 15, 16), strict=True),
        ("n", 0),
        ("P", 13),
        ("3", 0),
        ("0", 14),
        ("X", 13),
    ],
)
def test_flag_letters_become_quality_codes_and_only_n_is_good(flag, quality):
    (got,) = readings(decode(build(f"DataTime=20240101010000;a34004-Avg=35,a34004-Flag={flag}")))
    assert (got.value, got.quality) == (35.0, quality)


@pytest.mark.parametrize(
    ("fields", "value", "quality"),
    [
        ("a34004-Avg=,a34004-Flag=B", None, 16),
        ("a34004-Flag=D", None, 13),
        ("a34004-Avg=--,a34004-Flag=N", None, 20),
        ("a34004-Avg=NaN", None, 20),
        ("a34004-Avg=1e999", None, 20),
        ("a34004-Flag=N", None, 20),
        ("a34004-Avg=-0.3", -0.3, 0),
        ("a34004-Flag=D;a34004-Avg=7", 7.0, 13),
        ("a34004Avg=7", 7.0, 0),
        ("a34004=7", 7.0, 0),
    ],
)
def test_a_missing_hour_is_a_row_with_quality_not_an_absent_row(fields, value, quality):
    (got,) = readings(decode(build(f"DataTime=20240101010000;{fields}")))
    assert (got.property, got.value, got.quality) == ("a34004-Avg", value, quality)


def test_different_values_of_one_name_get_their_own_sub_index_and_equal_ones_count_once():
    got = readings(decode(build("DataTime=20240101010000;w00000-Avg=1,w00000-Avg=2;w00000-Avg=1,w00000-Max=9")))
    assert [(reading.property, reading.value, reading.sub) for reading in got] == [
        ("w00000-Avg", 1.0, 0),
        ("w00000-Avg", 2.0, 1),
        ("w00000-Max", 9.0, 0),
    ]
    assert [reading.unit for reading in got] == ["L/s"] * 3


def test_ozone_under_its_plain_name_joins_the_usual_code_unless_switched_off():
    message = decode(build("DataTime=20190901181500;O3-Rtd=63.4,O3-Flag=N", cn="2011"))
    assert readings(message)[0][:4] == ("a05024-Rtd", micros("2019-09-01T18:15:00+08:00"), 0, 63.4)
    assert readings(message, Profile(aliases={}))[0].property == "O3-Rtd"


def test_an_answer_to_a_query_with_several_times_keeps_each_with_its_values():
    area = "DataTime=20240101000000;a34004-Avg=1;DataTime=20240101010000;a34004-Avg=2"
    got = readings(decode(build(area)))
    assert [(reading.value, reading.sub) for reading in got] == [(1.0, 0), (2.0, 0)]
    assert got[1].t - got[0].t == 3_600_000_000


@pytest.mark.parametrize("time", ["20240230000000", "00000000000000", "2024010100", "yesterday"])
def test_a_time_that_names_no_moment_is_refused_in_words(time):
    with pytest.raises(FrameError) as refusal:
        readings(decode(build(f"DataTime={time};a34004-Avg=1")))
    assert refusal.value.reason == "data-time"
    with pytest.raises(FrameError, match="carry no DataTime"):
        readings(decode(build("a34004-Avg=1")))


def test_an_implausible_clock_is_kept_for_the_pipeline_to_judge():
    (got,) = readings(decode(build("DataTime=20991231235959;a34004-Avg=1")))
    assert got.t == micros("2099-12-31T23:59:59+08:00")


def test_commands_and_answers_measure_nothing():
    for cn in ("1062", "9014", "9011"):
        assert readings(decode(build("RtdInterval=30", cn=cn))) == []
    assert readings(decode(build("BeginTime=20240101000000,EndTime=20240101000000"))) == []


def test_serial_numbers_sample_times_and_flags_of_devices_are_texts():
    area = "DataTime=20240101000000;w01018-SampleTime=20240101000000,w01018-Rtd=3,w01018-EFlag=A01;w01018-SN=00FF"
    message = decode(build(area, cn="2011"))
    assert [(text.property, text.value) for text in texts(message)] == [
        ("w01018-SampleTime", "20240101000000"),
        ("w01018-EFlag", "A01"),
        ("w01018-SN", "00FF"),
    ]
    assert [reading.property for reading in readings(message)] == ["w01018-Rtd"]


def test_the_standards_units_for_particles_raise_a_doubt_and_ambient_ones_do_not():
    message = decode(build("DataTime=20240101000000;a34004-Avg=35;a21005-Avg=0.8;a01001-Avg=-3"))
    for profile, count in ((Profile(), 1), (Profile(units=AMBIENT_UNITS), 0)):
        rows = [(got.property.partition("-")[0], got.value, got.unit) for got in readings(message, profile)]
        assert len(find_unit_doubts(rows)) == count


def test_another_password_is_refused_and_never_printed():
    profile = Profile(password="secret")
    with pytest.raises(FrameError, match="another password"):
        profile.check_password(decode(STANDARD_EXAMPLE))
    Profile().check_password(decode(STANDARD_EXAMPLE))
    assert "secret" not in repr(profile)


def test_a_stored_profile_is_read_and_what_it_cannot_say_is_named():
    profile = parse_profile({"zone": 5.5, "label": "end", "units": {"a34004": "ug/m^3"}, "tolerances": [], "minute_period_s": 60}, "pw")
    assert profile == Profile(offset_s=19800, label="end", units={"a34004": "ug/m^3"}, tolerances=frozenset(), minute_s=60, password="pw")
    assert parse_profile({}) == Profile()
    for wrong in ({"zone": "8"}, {"zone": 99}, {"label": "middle"}, {"units": ["x"]}, {"tolerances": ["no-crc"]}, {"minute_period_s": 0}, {"colour": 1}):
        with pytest.raises(ValueError, match=next(iter(wrong)).replace("tolerances", "tolerance")):
            parse_profile(wrong)


# --- answers and divided messages ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "code", "area"),
    [
        (build("DataTime=20240101000000;a34004-Avg=1"), "9014", ""),
        (build("DataTime=20240101000000;a34004-Rtd=1", cn="2011"), "9014", ""),
        (build("DataTime=20240101000000;RestartTime=20240101000000", cn="2081"), "9014", ""),
        (build("PolId=w01018", cn="1013"), "9013", ""),
        (build("", cn="2012"), "9013", ""),
        (build("", cn="9015", flag=9), "9013", ""),
        (build("", cn="2011"), "9011", "QnRtn=1"),
        (build("RtdInterval=30", cn="1062"), "9011", "QnRtn=1"),
        (build("BeginTime=20240101000000,EndTime=20240101000000"), "9011", "QnRtn=1"),
    ],
)
def test_the_answer_the_standard_asks_for_is_built(raw, code, area):
    asked = decode(raw)
    answer = decode(build_answer(asked), NO_TOLERANCE)
    assert (answer.cn, answer.st, answer.qn, answer.mn, answer.pw) == (code, "91", asked.qn, asked.mn, asked.pw)
    assert answer.flag == asked.flag & ~3
    assert ",".join(f"{name}={value}" for name, value in answer.fields()) == area


def test_nobody_answers_an_answer_or_who_did_not_ask():
    assert build_answer(decode(build("DataTime=20240101000000", flag=4))) is None
    for code in ("9011", "9012", "9013", "9014"):
        assert build_answer(decode(build("", cn=code, flag=5))) is None
    assert build_answer(decode(build("", head="ST=22;CN=2011;PW=1;MN=S;"))) is None


@needs_frames
def test_annex_c_answers_are_exactly_the_ones_we_build():
    rows = {row["frame"] for row in load_rows()}
    upload = "QN=20160801085857223;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20160801085857&&"
    command = next(row for row in rows if ";CN=1062;" in row and row.startswith("QN="))
    assert build_answer(parse_segment(upload.encode()))[6:-6].decode() in rows
    assert build_answer(parse_segment(command.encode()))[6:-6].decode() in rows
    assert build_result(parse_segment(command.encode()))[6:-6].decode() in rows


def test_results_carry_their_codes():
    asked = decode(STANDARD_EXAMPLE)
    assert decode(build_answer(asked, RequestResult.WRONG_PASSWORD)).find("QnRtn") == "3"
    assert decode(build_result(asked, Execution.NO_DATA)).find("ExeRtn") == "100"


def test_a_2005_station_is_answered_in_the_2005_form():
    head = "QN=20050101000000123;ST=22;CN=2061;PW=123456;MN=88888880000001;Flag=1;"
    answer = build_answer(decode(build("DataTime=20050101000000;101-Avg=1", head=head)))
    assert answer[6:-6] == b"ST=91;CN=9014;PW=123456;MN=88888880000001;CP=&&QN=20050101000000123&&"


def divided(count=40):
    groups = [[("DataTime", "20240101000000")]]
    groups += [[(f"a{number:05}-Avg", "123.456"), (f"a{number:05}-Flag", "N")] for number in range(count)]
    qns = (f"{number:017}" for number in range(20240101000000000, 20240101000000999))
    return groups, format_packets(cn="2061", mn="M1", st="22", pw="p", qns=qns, groups=groups, is_answer_wanted=True)


def test_a_long_message_is_divided_and_put_together_in_any_order():
    groups, packets = divided()
    assert len(packets) > 1 and all(len(packet) <= 1024 + 12 for packet in packets)
    whole = decode(packets[0]).packet
    assert whole == (1, len(packets))
    reassembler = Reassembler()
    got = [reassembler.add(decode(packet), 0.0) for packet in [*reversed(packets[1:]), packets[1], packets[0]]]
    assert got[:-1] == [None] * (len(packets))
    assert [list(group) for group in got[-1].groups] == groups
    assert got[-1].packet is None and got[-1].flag == 5
    assert len(readings(got[-1])) == 40


def test_a_resent_part_changes_nothing_and_another_part_of_that_number_begins_anew():
    _, packets = divided(90)
    _, others = divided(89)
    assert len(packets) == len(others) >= 3
    first, second, *rest = (decode(packet) for packet in packets)
    reassembler = Reassembler()
    assert [reassembler.add(part, 0.0) for part in (first, second, second, first, *rest[:-1])] == [None] * (len(packets) + 1)
    assert reassembler.dropped == 0 and len(readings(reassembler.add(rest[-1], 0.0))) == 90
    last, other_last = rest[-1], decode(others[-1])
    assert last.groups != other_last.groups
    for part in (last, first, other_last):
        assert reassembler.add(part, 0.0) is None
    assert reassembler.dropped == 2 and reassembler.take_incomplete() == [last, first]


def test_what_never_becomes_whole_is_given_up_after_its_time_and_handed_over():
    _, packets = divided()
    reassembler = Reassembler(max_age_s=10)
    assert reassembler.add(decode(packets[0]), 0.0) is None
    assert reassembler.add(decode(STANDARD_EXAMPLE), 11.0).cn == "1062"
    assert [message.packet for message in reassembler.take_incomplete()] == [(1, len(packets))]
    assert reassembler.dropped == 1 and reassembler.take_incomplete() == []


def test_a_flood_of_beginnings_stays_within_its_bounds():
    reassembler = Reassembler(max_messages=4, max_fields=50)
    for number in range(200):
        head = f"QN=20240101000000123;ST=22;CN=2061;PW=1;MN=M{number};Flag=7;PNUM=9;PNO=1;"
        reassembler.add(decode(build("a-Rtd=1;b-Rtd=2", head=head)), 0.0)
    assert reassembler.dropped == 196
    assert len(reassembler.take_incomplete()) <= 25
    swollen = Reassembler(max_fields=50)
    for number in range(1, 9):
        head = f"QN=20240101000000123;ST=22;CN=2061;PW=1;MN=M1;Flag=7;PNUM=9;PNO={number};"
        assert swollen.add(decode(build(";".join(["a-Rtd=1"] * 20), head=head)), 0.0) is None
    assert swollen.dropped == 6


# --- decode command --------------------------------------------------------------------------------------------------


def test_lines_are_packets_with_or_without_line_end_or_hex_of_them():
    lines = [STANDARD_EXAMPLE, STANDARD_EXAMPLE.decode().strip(), STANDARD_EXAMPLE.hex(), "", STANDARD_EXAMPLE.hex(" ")]
    out = list(decode_lines("hj212", lines))
    assert [answer["ok"] for answer in out] == [True] * 4
    assert len({json.dumps(answer) for answer in out}) == 1


def test_a_data_segment_alone_is_read_only_when_asked():
    segment = STANDARD_EXAMPLE[6:-6].decode()
    (refused,) = decode_lines("hj212", [segment])
    (read,) = decode_lines("hj212", [segment], segment=True)
    assert refused["ok"] is False and refused["reason"] == "start"
    assert read["message"]["cp"] == [{"RtdInterval": "30"}]


def test_a_bad_line_does_not_stop_the_next_and_strict_forgives_nothing():
    lower = STANDARD_EXAMPLE.replace(b"1C80", b"1c80")
    out = list(decode_lines("hj212", ["nonsense", b"\xff\xfe", lower, STANDARD_EXAMPLE, "x" * 2_000_000], strict=True))
    assert [answer["ok"] for answer in out] == [False, False, False, True, False]
    assert out[2]["reason"] == "crc-lower-case"


def test_an_unknown_protocol_is_named_at_once_with_the_known_ones():
    with pytest.raises(FrameError, match=r"known are: .*hj212"):
        decode_lines("hj999", [])
