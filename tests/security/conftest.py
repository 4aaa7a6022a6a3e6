import dataclasses

import pytest


@pytest.fixture(autouse=True)
def own_house(settings, tmp_path):
    """Give each test its own data folder: seal key and head file outlive a database."""
    settings.HOUSE = dataclasses.replace(settings.HOUSE, home=tmp_path)
    return settings.HOUSE
