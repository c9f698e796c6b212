"""Places inside what was spelled: where in the argument a part of it stands, and under which quotes."""

from collections.abc import Iterable, Sequence

from msgspec import structs

from ffmesh_protocol.ffmpeg.escapes import Spelled
from ffmesh_protocol.ffmpeg.places import Place
from ffmesh_protocol.ffmpeg.quoting import NONE, QUOTED, joined
from ffmesh_protocol.ffmpeg.urls import Address


def address_in(whole: Spelled, address: Address, levels: Sequence[str]) -> Address:
    """What was read from the text of `whole`, with its positions in the argument. `levels` are the outermost first."""
    placed = [_placed(whole, place, levels) for place in address.places]
    lost = [place.path for place, found in zip(address.places, placed, strict=True) if found is None]
    doubt = f"the quotes around {lost[0]} begin or end in the midst of it" if lost else None
    return structs.replace(address, places=tuple(_found(placed)), doubt=address.doubt or doubt)


def _placed(whole: Spelled, place: Place, levels: Sequence[str]) -> Place | None:
    edges = whole.part(place.start, place.end).edges()
    if edges is None:
        return None
    begin, end = edges
    around = [QUOTED if begin.quotes >> at & 1 else level for at, level in enumerate(levels)]
    inner = () if place.quoting == NONE else (place.quoting,)
    return structs.replace(place, start=begin.at, end=end.at, quoting=joined(*inner, *reversed(around)))


def _found(places: Iterable[Place | None]) -> Iterable[Place]:
    return (place for place in places if place is not None)
