import dataclasses

import pytest

from zhongshu.kernel.record import Actor, change


@pytest.fixture
def own_house(settings, tmp_path):
    """A data folder of the test's own."""
    settings.HOUSE = dataclasses.replace(settings.HOUSE, home=tmp_path)
    return settings.HOUSE


@pytest.fixture
def officer():
    return Actor("person", "somebody")


@pytest.fixture
def meter(db, officer):
    """A product with two properties, one of them with a limit."""
    from zhongshu.sense.device.models import Product, Property, Threshold

    with change(officer, "test"):
        product = Product(code="meter", name="Meter")
        product.save()
        flow = Property(product=product, code="flow", name="Flow", unit="m3/h", period_s=60, silent_after_s=180, low=0, high=1000, headline=True)
        flow.save()
        Property(product=product, code="level", name="Level", unit="m").save()
        Threshold(property=flow, limit=100, clear=90, level="orange", title="Too much", source="local: test").save()
    return product
