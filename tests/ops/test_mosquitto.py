"""Mosquitto as the guide configures it (only port and folders are the test's): what devices publish while the gateway is away is taken in later."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from zhongshu.kernel.log import LogReader
from zhongshu.sense.observe.dimension import StreamDimension
from zhongshu.sense.pipeline.batch import decode_entries

from .conftest import ROOT, free_port, wait_for

GUIDES = ROOT / "docs" / "guides"
PASSWORDS = {"zhongshu-gateway": "mountain-1", "probe-1": "mountain-2", "probe-2": "mountain-3"}


class Broker:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.port, self.process = binary, folder, free_port(), None
        shutil.copy(GUIDES / "mosquitto.acl", folder / "zhongshu.acl")
        passwords = folder / "zhongshu.passwd"
        passwords.touch()
        tool = shutil.which("mosquitto_passwd") or str(Path(binary).with_name("mosquitto_passwd"))
        for user, password in PASSWORDS.items():
            subprocess.run([tool, "-b", str(passwords), user, password], check=True, capture_output=True)
        text = (GUIDES / "mosquitto.conf").read_text()
        for old, new in (("listener 1883", f"listener {self.port}"), ("/etc/mosquitto/zhongshu", f"{folder}/zhongshu"), ("/var/lib/mosquitto/", f"{folder}/")):
            assert old in text
            text = text.replace(old, new)
        self.config = folder / "mosquitto.conf"
        self.config.write_text(text)
        for file in folder.iterdir():
            file.chmod(0o644)
        if os.geteuid() == 0:  # started by root, Mosquitto goes on as user mosquitto
            shutil.chown(folder, "mosquitto")

    def start(self):
        self.process = subprocess.Popen([self.binary, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture
def broker(require):
    folder = Path(tempfile.mkdtemp(prefix="zhongshu-mosquitto-"))  # not below pytest's folder, which only its owner may enter
    folder.chmod(0o755)
    made = Broker(require("mosquitto"), folder)
    made.start()
    yield made
    made.stop()
    shutil.rmtree(folder)


def publish(port, user, messages):
    """Publish (topic, values) at QoS 1 and wait for the broker's acknowledgements."""
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=user)
    client.username_pw_set(user, PASSWORDS.get(user, "wrong"))
    client.max_inflight_messages_set(1000)
    client.max_queued_messages_set(0)
    client.connect("127.0.0.1", port)
    client.loop_start()
    sent = [client.publish(topic, json.dumps({"t": 1_790_000_000_000 + n, "values": values}), qos=1) for n, (topic, values) in enumerate(messages)]
    for message in sent:
        message.wait_for_publish(20)
        assert message.is_published()
    client.disconnect()
    client.loop_stop()


def read_values(home):
    reader = LogReader(home / "log" / "local.sqlite3")
    entries = reader.read(0)
    reader.close()
    rows = decode_entries([(0, entry) for entry in entries], StreamDimension.load(home)).rows
    return sorted(rows.value.tolist())


@pytest.mark.mosquitto
def test_messages_published_while_the_gateway_is_away_and_over_a_restart_of_the_broker_are_taken_in(install, broker):
    gateway = install(mqtt_url=f"mqtt://127.0.0.1:{broker.port}", mqtt_username="zhongshu-gateway", mqtt_password=PASSWORDS["zhongshu-gateway"])
    gateway.build_city()
    wait_for(lambda: gateway.is_open(broker.port), what="the broker's opening")
    gateway.start("gateway")
    pulse = gateway.home / "run" / "gateway.json"
    wait_for(lambda: pulse.exists() and (json.loads(pulse.read_text()).get("mqtt") or {}).get("is_connected"), what="the subscription")
    gateway.stop(kill=True)

    publish(broker.port, "probe-1", [("zhongshu/probe-1/up", {"heat": float(n)}) for n in range(3000)])
    publish(broker.port, "probe-2", [("zhongshu/probe-1/up", {"heat": -1.0})])  # another's topic: the broker drops it
    broker.stop()
    broker.start()
    wait_for(lambda: gateway.is_open(broker.port), what="the broker's return")
    gateway.start("gateway")
    wait_for(lambda: (gateway.home / "log" / "local.sqlite3").exists() and len(read_values(gateway.home)) >= 3000, 40, "the taking in")
    assert read_values(gateway.home) == [float(n) for n in range(3000)]


@pytest.mark.mosquitto
def test_a_wrong_password_is_refused(broker):
    wait_for(lambda: _try(broker.port, "probe-1", "mountain-2") == "Success", what="the broker's opening")
    assert _try(broker.port, "probe-1", "mountain-3") == "Not authorized"
    assert _try(broker.port, "", "") == "Not authorized"


def _try(port, user, password):
    said = []
    client = paho.Client(CallbackAPIVersion.VERSION2)
    if user:
        client.username_pw_set(user, password)
    client.on_connect = lambda _client, _data, _flags, reason, _properties: said.append(str(reason))
    try:
        client.connect("127.0.0.1", port)
    except OSError:
        return None
    while not said:
        client.loop(0.1)
    client.disconnect()
    return said[0]
