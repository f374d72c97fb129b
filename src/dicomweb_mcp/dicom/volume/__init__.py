"""Whether images make up one regular volume, and if not, why: the ``geometry`` of an answer.

Only positions and orientations count (PS3.3 C.7.6.2), never InstanceNumber; the order of the planes does not matter.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ..facts import filled
from .figures import sample_facts, stack_facts, stack_list
from .plane import Plane, planes
from .stacks import stacks
from .tables import GEOMETRY_FIELDS
from .verdict import NO_POSITION, ON_SLIDE, SAMPLED, UNREAD, verdict

__all__ = ["GEOMETRY_FIELDS", "Plane", "describe_geometry", "planes"]


def describe_geometry(planes: Sequence[Plane], *, all_positions: bool = True) -> dict[str, Any]:
    """The geometry of a series or an instance: ``verdict`` in words, ``regular_volume`` (None when it cannot be told)
    and the figures behind them. With ``all_positions=False`` the planes are a sample, and nothing is said that the
    others could change."""
    placed = [plane for plane in planes if plane.is_placed]
    if not placed:
        return _without_positions(planes)
    localizers = [plane for plane in placed if plane.grid.is_localizer]
    found, beyond = stacks([plane for plane in placed if not plane.grid.is_localizer] or placed)
    others = filled(
        localizers=len(localizers) or None,
        without_position=_count(plane for plane in planes if not plane.is_placed and not plane.is_unread) or None,
        positions_not_read=_count(plane for plane in planes if plane.is_unread) or None,
    )
    if not all_positions or "positions_not_read" in others:
        said = UNREAD if all_positions else SAMPLED
        return {"verdict": said, "regular_volume": None, **sample_facts(found, beyond), **others}
    facts = stack_facts(found[0]) if len(found) == 1 and not beyond else stack_list(found, beyond)
    said, is_regular = verdict(found, beyond, others)
    return {"verdict": said, "regular_volume": is_regular, **facts, **others}


def _count(planes: Iterable[Plane]) -> int:
    return sum(plane.frames for plane in planes)


def _without_positions(planes: Sequence[Plane]) -> dict[str, Any]:
    images = _count(planes)
    if any(plane.is_unread for plane in planes):
        return {"verdict": UNREAD, "regular_volume": None, "images": images}
    slides = bool(planes) and all(plane.grid.is_slide for plane in planes)
    return {"verdict": ON_SLIDE if slides else NO_POSITION, "images": images}
