"""The way through the images of a series, or through the one of its parts that was asked for."""

import math
from collections.abc import Sequence
from dataclasses import replace

from ...errors import BadArgument
from ..geometry import FRAMES, Stack, arrange, in_space, numbered
from ..values import clean
from .parts import Image, Part, parts, reach
from .words import MOST_SHOWN

LONGEST_WISH = 80

SHORT_NAMES = {
    "b": ("DiffusionBValue",),
    "bvalue": ("DiffusionBValue",),
    "gradient": ("DiffusionGradientOrientation",),
    "te": ("EchoTime", "EffectiveEchoTime"),
    "echotime": ("EchoTime", "EffectiveEchoTime"),
    "ti": ("InversionTime", "InversionTimes"),
    "inversiontime": ("InversionTime", "InversionTimes"),
    "time": ("TemporalPositionIdentifier", "TemporalPositionIndex"),
    "timepoint": ("TemporalPositionIdentifier", "TemporalPositionIndex"),
    "phase": ("NominalPercentageOfCardiacPhase",),
    "segment": ("ReferencedSegmentNumber",),
    "kernel": ("ConvolutionKernel",),
    "type": ("ImageType", "FrameType"),
}
"""What people say instead of a keyword."""


def walk(images: Sequence[Image], wanted: int | str | None = None) -> Stack:
    """The images in the order in which a walk through them meets them: all of them, or those of the stack that is
    ``wanted``: its number from 1, or words such as ``axial``, ``EchoTime=30``, ``b=1000``.

    Raises BadArgument with the stacks that there are.
    """
    found = parts(images)
    if wanted is not None:
        number = _chosen(found, wanted)
        part = found[number - 1]
        by = f' chosen by "{clean(wanted, LONGEST_WISH)}"' if isinstance(wanted, str) else ""
        return replace(part.walked(), name=f"stack {number} of {len(found)} ({part.words}){by}")
    if len(images) == 1:
        return found[0].walked()
    stack = found[0].stack if len({id(part.stack) for part in found}) == 1 else None
    slices = numbered(item for part in found for item in part.slices)
    if stack is not None:
        whole = replace(in_space(slices), reach=reach(slices, stack.grid))
    elif len({item.instance_uid for item in slices}) == 1 and len(found) == 1:  # a cine, or tiles
        return Stack(tuple(slices), FRAMES)
    else:
        whole = arrange([image.slice for image in images])
    return replace(whole, notes=(*whole.notes, _offer(found))) if len(found) > 1 else whole


def _offer(found: Sequence[Part]) -> str:
    """What there is to choose from, with an example that fits one stack alone."""
    apart = [f"{keyword}={value}" for keyword, value in next((part.apart for part in found if part.apart), {}).items()]
    examples = [*apart[:1], ", ".join(apart), *sorted(found[0].names)]
    example = next((words for words in examples if len(_fitting(found, words)) == 1), "")
    by_words = f' or by words (such as stack="{example}")' if example else ""
    return f"Choose one of its stacks by number{by_words}. There are {stacks_in_words(found)}."


def stacks_in_words(found: Sequence[Part]) -> str:
    """``2 stacks: 1 (axial; 20 images, 0 to 95 mm), 2 (coronal; 5 images, 10 to 50 mm)``"""
    return f"{len(found)} stack{'s' * (len(found) != 1)}: {_rows(list(enumerate(found, start=1)))}"


def _rows(rows: Sequence[tuple[int, Part]]) -> str:
    more = f" and {len(rows) - MOST_SHOWN} more" if len(rows) > MOST_SHOWN else ""
    return ", ".join(f"{number} ({part.words}; {part.extent})" for number, part in rows[:MOST_SHOWN]) + more


def _chosen(found: Sequence[Part], wanted: int | str) -> int:
    """The number of the only part that fits."""
    said = str(wanted).strip()
    fitting = _fitting(found, said)
    if len(fitting) == 1:
        return fitting[0][0]
    name = clean(said, LONGEST_WISH)
    if fitting:
        raise BadArgument(f"{len(fitting)} stacks fit {name}: {_rows(fitting)}. Give the number of one of them.")
    raise BadArgument(f"There is no stack {name}: this series has {stacks_in_words(found)}.")


def _fitting(found: Sequence[Part], said: str) -> list[tuple[int, Part]]:
    """The parts that have this number or all of these words, each with its number."""
    conditions = [condition for condition in said.split(",") if condition.strip()]
    return [
        (number, part)
        for number, part in enumerate(found, start=1)
        if said == str(number) or (conditions and all(_fits(part, condition) for condition in conditions))
    ]


def _fits(part: Part, condition: str) -> bool:
    """Whether a part is called so, or has the value that ``keyword=value`` says."""
    name, equals, value = condition.partition("=")
    if not equals:
        return _plain(name) in map(_plain, part.names)
    keywords = {_plain(keyword) for keyword in SHORT_NAMES.get(_plain(name), (name,))}
    return any(_same(said, value.strip()) for keyword, said in part.values.items() if _plain(keyword) in keywords)


def _same(said: str, wanted: str) -> bool:
    """The same number or text, or one of several values."""
    try:
        return math.isclose(float(said), float(wanted), rel_tol=1e-6)
    except ValueError:
        return wanted.casefold() in (said.casefold(), *said.casefold().split("\\"))


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
