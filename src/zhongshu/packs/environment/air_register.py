"""A device of the air feed that nobody made a station of becomes one, so that its air is not overlooked."""

from django.db.models import Exists, OuterRef

from zhongshu.kernel.record import Actor, change
from zhongshu.sense.device.models import Thing, ThingState

from .air import AIR, AirStation
from .codes import StationKind, StationLevel

__all__ = ["create_missing_stations"]


def create_missing_stations(by: Actor) -> int:
    """Make an air station of every thing of the air feed that has none and is not retired; returns how many.

    Name, place, division and organisation are the thing's; it counts as a municipal assessment station until an officer says otherwise.
    """
    known = AirStation.objects.filter(thing=OuterRef("pk"))
    things = list(Thing.objects.filter(~Exists(known), product__code=AIR.code).exclude(state=ThingState.RETIRED).order_by("pk"))
    if things:
        with change(by, "devices of the air feed without a station"):
            AirStation.objects.bulk_create([_build_station(thing) for thing in things])
    return len(things)


def _build_station(thing: Thing) -> AirStation:
    number = thing.external_id.removeprefix("hj212:")
    return AirStation(
        station_no=number,
        name=thing.name,
        kind=StationKind.ASSESSMENT,
        level=StationLevel.MUNICIPAL,
        mn=number,
        thing=thing,
        lon=thing.lon,
        lat=thing.lat,
        address=thing.address,
        division_id=thing.division_id,
        organisation_id=thing.organisation_id,
    )
