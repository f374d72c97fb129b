"""What can be asked of a slide: a box, a center or the whole, and at which resolution."""

from dataclasses import dataclass, fields

from ...errors import BadArgument

MOST_UM, MOST_SIZE = 1e7, 100_000

CORNER = ("x", "y", "width", "height")
CENTER = ("center", "field_of_view_um")
POSITIVE = {
    "width": MOST_UM, "height": MOST_UM, "field_of_view_um": MOST_UM, "um_per_px": MOST_UM, "magnification": 1e5,
    "size": MOST_SIZE,
}  # fmt: skip
AGAINST = (
    (CORNER, CENTER, "a box is given by its corner or by its center"),
    (("whole",), (*CORNER, *CENTER), "whole=true is the whole slide"),
    (("level",), ("um_per_px", "magnification"), "a level is read at its own resolution"),
    (("um_per_px",), ("magnification",), "both say the resolution"),
)
"""Arguments that contradict each other, and why."""


@dataclass(frozen=True)
class BoxRequest:
    """What was asked for; None was not said. ``unit`` is pixel (of ``level``, else of level 0) or mm, from the left
    upper corner of the total pixel matrix; ``size`` is the greatest length of the picture's longer edge."""

    x: float | None = None
    y: float | None = None
    width: float | None = None
    height: float | None = None
    unit: str | None = None
    center: tuple[float, float] | None = None
    field_of_view_um: float | None = None
    whole: bool = False
    level: int | None = None
    um_per_px: float | None = None
    magnification: float | None = None
    size: int | None = None

    @property
    def given(self) -> set[str]:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name for name, value in values.items() if value is not None and value is not False}


def check_box(request: BoxRequest) -> None:
    """Raises BadArgument for arguments that contradict each other, are incomplete, or are out of their range."""
    given = request.given
    for some, others, why in AGAINST:
        one, other = [name for name in some if name in given], [name for name in others if name in given]
        if one and other:
            raise BadArgument(f"{' and '.join([*one, *other])} contradict each other: {why}. Leave one side out.")
    if request.unit not in (None, "pixel", "mm"):
        raise BadArgument("unit is pixel or mm.")
    ways = (CORNER, CENTER, ("whole",))
    used = next((way for way in ways if given.intersection(way)), None)
    if used is None:
        what = "unit alone says nothing. " if request.unit else ""
        raise BadArgument(f"{what}Give x, y, width and height, or center and field_of_view_um, or whole=true.")
    if missing := [name for name in used if name not in given]:
        raise BadArgument(f"{' and '.join(missing)} is missing: {', '.join(used)} are given together.")
    if request.unit and used == ("whole",):
        raise BadArgument("unit has no meaning with whole=true: leave it out.")
    _check_numbers(request)


def _check_numbers(request: BoxRequest) -> None:
    for name, most in POSITIVE.items():
        value = getattr(request, name)
        if value is not None and not 0 < value <= most:
            raise BadArgument(f"{name}={value}: a number above 0 and at most {most:,.0f} is needed.")
    for value in (request.x, request.y, *(request.center or ())):
        if value is not None and not abs(value) <= MOST_UM:
            raise BadArgument(f"{value} is no position on a slide.")
