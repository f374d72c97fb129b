"""Choosing among numbered and named things, such as segments."""

from collections.abc import Mapping

from ...errors import BadArgument
from ..facts import few
from ..values import clean

MOST_NAMED = 40


class Ambiguous(BadArgument):
    """Several things are called so."""


def chosen(wanted: int | str, named: Mapping[int, str]) -> int:
    """The number that is meant by a number, a name, or the part of only one name.

    Raises BadArgument with what there is, Ambiguous for several.
    """
    said = str(wanted).strip().casefold()
    if said.isdecimal() and int(said) in named:
        return int(said)
    exact = [number for number, name in named.items() if name.casefold() == said]
    part = [number for number, name in named.items() if said and said in name.casefold()]
    for fitting in (exact, part):
        if len(fitting) == 1:
            return fitting[0]
    fitting = exact or part
    there = few([f"{number} {named[number]}".strip() for number in fitting or named], MOST_NAMED)
    if fitting:
        raise Ambiguous(f"Several are called {clean(str(wanted), 64)}: {there}. Give the number of one.")
    raise BadArgument(f"There is no {clean(str(wanted), 64)}: there are {there}. Give a number or a name.")
