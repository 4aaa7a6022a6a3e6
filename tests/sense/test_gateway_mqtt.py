"""MQTT with a real broker: Mosquitto as installed, and our small one."""

import asyncio
import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time

import paho.mqtt.client as paho
import pyarrow as pa
import pytest
from django.conf import settings
from paho.mqtt.enums import CallbackAPIVersion

from zhongshu.kernel.home import Gateway, House, Mqtt
from zhongshu.kernel.log import LogReader, RefusedStore
from zhongshu.security.identity.credential import hash_secret
from zhongshu.sense.gateway.payload import PayloadError, parse_payload
from zhongshu.sense.gateway.process import open_gateway
from zhongshu.sense.gateway.sources import SourceSpec, write_sources


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(truth, timeout=15):
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        if truth():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


def is_open(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


@pytest.fixture
def mosquitto(tmp_path, require):
    binary = require("mosquitto")
    port = free_port()
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    process = subprocess.Popen([binary, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port))
        yield port
    finally:
        process.terminate()
        process.wait(10)


def build_house(folder, **mqtt):
    write_sources(
        folder / "dim",
        1,
        [
            SourceSpec("mqtt:meter-1", "u-1", "mqtt", secret=hash_secret("mqtt:meter-1", "s3cret")),
            SourceSpec("mqtt:meter-2", "u-2", "mqtt", secret=hash_secret("mqtt:meter-2", "other")),
        ],
    )
    return House(home=folder, gateway=Gateway(hj212_port=0), mqtt=Mqtt(**mqtt))


def read_log(folder, kind="readings"):
    reader = LogReader(folder / "log" / "local.sqlite3")
    found = [row for e in reader.read(0) if e.kind == kind for row in pa.ipc.open_stream(io.BytesIO(e.body)).read_all().to_pylist()]
    reader.close()
    return found


def list_refused(folder):
    store = RefusedStore(folder / "log" / "local.sqlite3")
    found = store.list_refused()
    store.close()
    return found


@contextlib.contextmanager
def sender(port, client_id="meter-1", username="", password=""):
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=paho.MQTTv311)
    if username:
        client.username_pw_set(username, password)
    ready = threading.Event()
    client.refused = ""

    def on_connect(_client, _data, _flags, reason, _properties):
        client.refused = str(reason) if reason.is_failure else ""
        ready.set()

    client.on_connect = on_connect
    client.connect("127.0.0.1", port)
    client.loop_start()
    assert ready.wait(10)
    try:
        yield client
    finally:
        client.disconnect()
        client.loop_stop()


def send(client, body, topic="zhongshu/meter-1/up", qos=1):
    payload = body if isinstance(body, bytes) else json.dumps(body)
    client.publish(topic, payload, qos=qos).wait_for_publish(10)


async def until(truth, timeout=15):
    async with asyncio.timeout(timeout):
        while not truth():
            await asyncio.sleep(0.02)


@pytest.mark.mosquitto
def test_messages_of_a_known_source_reach_the_log_and_bad_ones_the_quarantine(tmp_path, mosquitto):
    house = build_house(tmp_path, url=f"mqtt://127.0.0.1:{mosquitto}")

    def publish():
        with sender(mosquitto) as client:
            send(client, {"t": "2026-08-01T09:00:00+08:00", "values": {"flow": 1.5, "state": "open", "level": None}})
            send(client, [{"t": 1785546060000, "values": {"flow": 2}}, {"t": 1785546120000, "values": {"flow": 3}}], qos=0)
            send(client, b"not json")
            send(client, {"t": "yesterday", "values": {"flow": 1}})
            send(client, {"values": {"flow": 1}}, topic="zhongshu/nobody/up")

    async def story():
        async with open_gateway(house) as parts:
            await until(lambda: parts.mqtt.is_connected)
            await asyncio.to_thread(publish)
            await until(lambda: parts.counters.of("mqtt:meter-1").readings == 4 and parts.quarantine.kept == 3)
            return parts.counters.of("mqtt:meter-1")

    counters = asyncio.run(story())
    rows = read_log(tmp_path)
    assert [(r["stream"], r["t"], r["value"], r["quality"]) for r in rows] == [
        ("mqtt:meter-1/flow", 1785546000000000, 1.5, 0),
        ("mqtt:meter-1/level", 1785546000000000, None, 20),
        ("mqtt:meter-1/flow", 1785546060000000, 2.0, 0),
        ("mqtt:meter-1/flow", 1785546120000000, 3.0, 0),
    ]
    assert [r["value"] for r in read_log(tmp_path, "texts")] == ["open"]
    assert sorted((r.source, r.reason.split(":")[0]) for r in list_refused(tmp_path)) == [
        ("mqtt:meter-1", "json"),
        ("mqtt:meter-1", "time"),
        ("mqtt:nobody", "unknown-source"),
    ]
    assert counters.unpromised == 1 and counters.refused == {"json": 1, "time": 1}


CONSUMER = textwrap.dedent(
    """
    import asyncio, sys
    from pathlib import Path
    from zhongshu.config.boot import boot
    boot()
    from zhongshu.kernel.home import Gateway, House, Mqtt
    from zhongshu.sense.gateway.process import open_gateway

    async def serve():
        house = House(home=Path(sys.argv[1]), gateway=Gateway(hj212_port=0), mqtt=Mqtt(url=sys.argv[2]))
        async with open_gateway(house) as parts:
            while True:
                await asyncio.sleep(0.05)
                Path(sys.argv[1], "connected").write_text(str(parts.mqtt.is_connected))

    asyncio.run(serve())
    """
)


def start_consumer(folder, port, version, kill_at=""):
    url = f"mqtt://127.0.0.1:{port}?version={version}"
    (folder / "connected").unlink(missing_ok=True)
    environment = {**os.environ, "ZHONGSHU_HOME": str(settings.HOUSE.home), "PYTHONPATH": os.pathsep.join(sys.path), "ZHONGSHU_KILL_AT": kill_at}
    process = subprocess.Popen([sys.executable, "-c", CONSUMER, str(folder), url], env=environment)
    wait_for(lambda: process.poll() is not None or ((folder / "connected").exists() and (folder / "connected").read_text() == "True"))
    return process


@pytest.mark.mosquitto
@pytest.mark.parametrize(("version", "point"), [("5", "gateway.received"), ("3.1.1", "log.committed")])
def test_what_a_killed_gateway_had_not_committed_is_sent_again_by_the_broker(tmp_path, mosquitto, version, point):
    build_house(tmp_path)
    process = start_consumer(tmp_path, mosquitto, version, f"{point}:3")
    with sender(mosquitto) as client:
        sent = 0
        while process.poll() is None and sent < 3000:
            send(client, {"t": 1785546000000 + sent, "values": {"flow": sent}})
            sent += 1
        assert process.wait(10) == -9
        process = start_consumer(tmp_path, mosquitto, version)
        try:
            wait_for(lambda: {row["value"] for row in read_log(tmp_path)} == set(map(float, range(sent))))
        finally:
            process.kill()
            process.wait(10)


BROKER = textwrap.dedent(
    """
    import signal, sys, threading
    from pathlib import Path
    from zhongshu.config.boot import boot
    boot()
    from zhongshu.kernel.home import House, Mqtt
    from zhongshu.sense.gateway.broker import run_broker

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    run_broker(House(home=Path(sys.argv[1]), mqtt=Mqtt(embedded=True, port=int(sys.argv[2]))), stop)
    """
)


def test_the_small_broker_lets_each_device_publish_its_own_topic_and_nothing_else(tmp_path):
    port = free_port()
    house = build_house(tmp_path, embedded=True, port=port)
    environment = {**os.environ, "ZHONGSHU_HOME": str(settings.HOUSE.home), "PYTHONPATH": os.pathsep.join(sys.path)}
    broker = subprocess.Popen([sys.executable, "-c", BROKER, str(tmp_path), str(port)], env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: is_open(port))

        def publish():
            with sender(port, "meter-1", "meter-1", "s3cret") as client:
                send(client, {"t": 1785546000000, "values": {"flow": 1}})
                send(client, {"t": 1785546060000, "values": {"flow": 2}})
            with sender(port, "meter-1", "meter-1", "s3cret") as client:
                client.publish("zhongshu/meter-2/up", json.dumps({"values": {"flow": 99}}), qos=1)
            with sender(port, "meter-2", "meter-2", "wrong") as client:
                assert client.refused

        async def story():
            async with open_gateway(house) as parts:
                await until(lambda: parts.mqtt.is_connected)
                await asyncio.to_thread(publish)
                await until(lambda: parts.counters.of("mqtt:meter-1").readings == 2)

        asyncio.run(story())
    finally:
        broker.terminate()
        assert broker.wait(20) == 0
    assert [(r["stream"], r["value"]) for r in read_log(tmp_path)] == [("mqtt:meter-1/flow", 1.0), ("mqtt:meter-1/flow", 2.0)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "json"),
        (b"[]", "empty"),
        (b'{"values": {}}', "empty"),
        (b'{"values": {"a/b": 1}}', "property"),
        (b'{"values": {"a": [1]}}', "json"),
        (b'{"t": "2026-08-01T09:00:00", "values": {"a": 1}}', "time"),
        (b'{"t": 99999999999999999, "values": {"a": 1}}', "time"),
        (b'{"values": {"a": 1}, "quality": {"a": 300}}', "quality"),
        (b"[" * 100_000, "json"),
    ],
)
def test_a_bad_payload_is_refused_with_its_reason(payload, reason):
    with pytest.raises(PayloadError) as error:
        parse_payload("mqtt:x", payload, 0)
    assert error.value.reason == reason
