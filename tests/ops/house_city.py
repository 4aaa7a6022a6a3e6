"""Puts two things with streams and a limit into an installation (run as its own process): what is needed to take readings in."""

from zhongshu.config.boot import boot

boot()

from django.conf import settings  # noqa: E402

from zhongshu.kernel.record import SYSTEM, change  # noqa: E402
from zhongshu.sense.device.models import Product, Property, Threshold  # noqa: E402
from zhongshu.sense.device.publish import publish_all  # noqa: E402
from zhongshu.sense.device.register import ThingRow, register_things  # noqa: E402

with change(SYSTEM, "a city for a test"):
    product = Product(code="probe", name="probe")
    product.save()
    heat = Property(product=product, code="heat", name="heat", unit="Cel", low=-50, high=150)
    heat.save()
    Property(product=product, code="wind", name="wind", unit="m/s").save()
    Threshold(property=heat, op="above", limit=90.0, clear=80.0, level="yellow", title="hot").save()
register_things([ThingRow(f"http:{name}", name, "probe", protocol="http", secret="river-stone") for name in ("one", "two")], SYSTEM, "a city for a test")
register_things([ThingRow("mqtt:probe-1", "probe-1", "probe", protocol="mqtt")], SYSTEM, "a city for a test")
publish_all(settings.HOUSE)
