"""Colours that can be told from grey, and from one another."""

from collections.abc import Collection, Iterator, Mapping
from colorsys import hsv_to_rgb
from itertools import chain, count, cycle, islice
from math import dist

Colour = tuple[int, int, int]

PALETTE: tuple[Colour, ...] = (
    (255, 64, 64), (64, 160, 255), (80, 220, 80), (255, 200, 0), (255, 100, 255), (0, 230, 230), (255, 140, 0),
    (170, 120, 255), (190, 255, 60), (255, 150, 190), (0, 170, 120), (200, 130, 60),
)  # fmt: skip
LEAST_COLOURFUL = 40  # between the strongest and the weakest part; less looks grey
GOLDEN = 0.618034  # of the circle of hues
LEAST_APART = 60.0  # in the cube of red, green and blue
MOST_APART = 12  # colours that are held apart
MOST_DIFFERENT = 1_000  # other hues that are tried: there are not many more, and then colours begin anew


def colours_of(wanted: Mapping[int, str]) -> dict[int, Colour]:
    """A colour for each number: the one that its file recommends (``#rrggbb`` or empty) where that is colourful and no
    other one's, else one of the palette. After the palette is used up, other hues follow."""
    found: dict[int, Colour] = {}
    taken: set[Colour] = set()
    for number, written in wanted.items():
        own = read(written)
        if own and max(own) - min(own) >= LEAST_COLOURFUL and _is_free(own, taken):
            found[number] = own
            taken.add(own)
    left = (colour for colour in chain(PALETTE, islice(_more(), MOST_DIFFERENT)) if _is_free(colour, taken))
    free = cycle(chain(left, PALETTE))
    for number in wanted:
        if number not in found:
            found[number] = next(free)
            taken.add(found[number])
    return {number: found[number] for number in wanted}


def written(colour: Colour) -> str:
    """``#rrggbb``"""
    return "#" + "".join(f"{part:02x}" for part in colour)


def read(text: str) -> Colour | None:
    """The colour of ``#rrggbb``; None for anything else."""
    if len(text) != 7:
        return None
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def _is_free(colour: Colour, taken: Collection[Colour]) -> bool:
    """Whether none like it is taken, or, where so many are that all are alike, none that is the same."""
    if len(taken) > MOST_APART:
        return colour not in taken
    return all(dist(colour, other) >= LEAST_APART for other in taken)


def _more() -> Iterator[Colour]:
    """Hues that lie apart, however many are taken."""
    for nth in count():
        red, green, blue = hsv_to_rgb(nth * GOLDEN % 1.0, 0.75, (1.0, 0.8)[nth % 2])
        yield round(255 * red), round(255 * green), round(255 * blue)
