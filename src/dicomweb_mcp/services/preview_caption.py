"""What is said of a contact sheet: a header of what its tiles share, a line for each tile, the labels above them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..dicom.geometry import Stack
from ..dicom.values import numbers, plain_value
from ..errors import Problem
from .captions import edge_facts, encoding, marks_and_text, segment_of, size, unit_words, viewer_fact, window_words
from .samples import Sample, seconds_of
from .tiles import Drawing, Drawn

if TYPE_CHECKING:
    from ..pixels.picture import Picture
    from ..pixels.sheet import Layout, Tile

IN_BRACKETS = re.compile(r" \([^()]*\)")
HEADER = ("Modality", "StudyDate", "SeriesDescription", "StudyInstanceUID", "SeriesInstanceUID")


Tiles = Mapping[tuple[int, str], Drawn]


def labelled(drawing: Drawing, sample: Sample, size: int, name: str = "") -> "list[Tile]":
    """The tiles of a sample that was drawn, one for each window; ``name`` is that of the series, where there are
    several."""
    from ..pixels.sheet import Tile

    return [
        Tile(drawing.tiles[sample.number, window].picture, _labels(drawing, sample, window, name), size)
        for window in drawing.windows
    ]


def _labels(drawing: Drawing, sample: Sample, window: str, name: str) -> tuple[tuple[str, ...], ...]:
    """The lines above a tile, each in several lengths."""
    said = [part for part in (_where(sample, drawing.stack), _segment(sample, with_label=False)) if part]
    if drawing.tiles[sample.number, window].problem:
        said = ["not shown"]
    return label_lines(numbered(drawing, sample, name), said, drawing.windows, window)


def numbered(drawing: Drawing, sample: Sample, name: str = "") -> tuple[str, str, str]:
    """Which of how many, in three lengths."""
    count, which = len(drawing.stack.slices), f"{name} {sample.number}".strip()
    return f"{which} of {count}", f"{which}/{count}", which


def label_lines(
    number: tuple[str, str, str], said: Sequence[str], windows: Sequence[str], window: str
) -> tuple[tuple[str, ...], ...]:
    """A number and what is said of it, ever more shortly; below it the window, where there are several."""
    full, short, shortest = number
    first = (", ".join([full, *said]), ", ".join([short, *said]), ", ".join([short, *said[:1]]), short, shortest)
    return (first, (window,)) if len(windows) > 1 else (first,)


def caption(drawing: Drawing, layout: "Layout", picture: "Picture") -> tuple[dict[str, str], tuple[str, ...]]:
    """The facts of the sheet and of each tile by its row and column, and the notes."""
    facts = {"archive": drawing.archive.name, **identity(drawing), **about(drawing)}
    facts["tiles"] = f"{layout_words(layout)}; {_scale(layout)}"
    facts["picture"] = size(picture)
    facts |= pixels(drawing.tiles)
    facts["rendered by"] = rendered_by([drawing])
    facts |= {**overlay_fact(drawing), **drawing.said}
    for nth, said in enumerate(lines(drawing)):
        facts[place_words(layout, nth * len(drawing.windows), len(drawing.windows))] = said
    obj = next(sample.obj for sample in drawing.samples if sample.obj)
    return {**facts, **viewer_fact(drawing.archive, drawing.place, obj)}, notes(drawing)


def lines(drawing: Drawing) -> list[str]:
    """What is said of each sample: which it is, and what is not the same for all."""
    same, origin = _shared_windows(drawing)
    shared = _shared_notes(drawing.tiles)
    of_one = len({one.instance_uid for one in drawing.stack.slices}) == 1
    found = []
    for sample in drawing.samples:
        own = {}
        for window in drawing.windows:
            drawn = drawing.tiles[sample.number, window]
            own[window] = [*_own_window(drawn, same[window], origin[window]), *_shown(drawn, shared)]
        found.append(", ".join([_identified(sample, drawing.stack, of_one), *_once(own), *_overlaid(drawing, sample)]))
    return found


def notes(drawing: Drawing) -> tuple[str, ...]:
    """What else is to be said of all tiles of a series."""
    overlaid = dict.fromkeys(note for on in drawing.overlaid.values() for note in on.notes)
    return *drawing.stack.notes, *drawing.notes, *_about(drawing), *overlaid, *_shared_notes(drawing.tiles)


def rendered_by(drawings: Sequence[Drawing]) -> str:
    """Who made the tiles, and from what."""
    as_stored = all(drawn.as_stored for drawing in drawings for drawn in drawing.tiles.values())
    return (
        "this program, from the stored frames" if as_stored else "this program; the archive decoded some of the frames"
    )


def overlay_fact(drawing: Drawing) -> dict[str, str]:
    """What is drawn over the tiles, and how it was placed."""
    if not drawing.overlay:
        return {}
    ways = dict.fromkeys(on.how for on in drawing.overlaid.values() if on.how)
    return {"overlay": "; ".join([drawing.overlay.title, *ways])}


def _overlaid(drawing: Drawing, sample: Sample) -> list[str]:
    """What of the overlay lies on one image."""
    on = drawing.overlaid.get(sample.number) if drawing.overlay else None
    if on is None:
        return []
    nothing = "nothing of it" if on.is_whole else "nothing of it could be drawn"
    return [f"overlay: {'; '.join(on.parts) or nothing}"]


def place_words(layout: "Layout", nth: int, beside: int) -> str:
    """Where ``beside`` tiles stand, the first of which is the ``nth`` from 0."""
    row, column = layout.place(nth)
    return f"row {row}, column" + (f"s {column} to {column + beside - 1}" if beside > 1 else f" {column}")


# ---- the header ------------------------------------------------------------------------------------------------------


def identity(drawing: Drawing) -> dict[str, str]:
    """Which series is shown, by keyword; and which instance, where it is but one."""
    obj = next((sample.obj for sample in drawing.samples if sample.obj), {})
    found = {keyword: str(value) for keyword in HEADER if (value := plain_value(obj, keyword)) is not None}
    found |= {"StudyInstanceUID": drawing.place.study_uid, "SeriesInstanceUID": drawing.place.series_uid or ""}
    instances = {sample.slice.instance_uid for sample in drawing.samples}
    return {**found, **({"SOPInstanceUID": instances.pop()} if len(instances) == 1 and "" not in instances else {})}


def about(drawing: Drawing) -> dict[str, str]:
    """What the tiles of a series share: how many there are, the edges, the windows."""
    windows = drawing.windows
    said = _windows(windows, *_shared_windows(drawing))
    images = {"images": _images(drawing.stack, drawing.samples)}
    return images | _edges(drawing) | {"window" if len(windows) == 1 else "windows": said}


def _shared_windows(drawing: Drawing) -> tuple[dict[str, str], dict[str, str]]:
    """For each window what all of its tiles have in common: the whole of it, and where it comes from."""
    columns = {window: [drawing.tiles[sample.number, window] for sample in drawing.samples]
               for window in drawing.windows}  # fmt: skip
    same = {window: _same_window(drawn) for window, drawn in columns.items()}
    return same, {window: _same_origin(drawn) for window, drawn in columns.items()}


def _edges(drawing: Drawing) -> dict[str, str]:
    """Which side of the patient lies at each edge, where that is the same in all tiles."""
    found = [edge_facts(drawing.view(sample)) for sample in drawing.samples if sample.obj]
    return found[0] if all(facts == found[0] for facts in found) else {}


def _images(stack: Stack, samples: Sequence[Sample]) -> str:
    count, of = len(stack.slices), f" of {stack.name}" if stack.name else ""
    return f"{count:,} in {stack.basis}{of}; {len(samples) if len(samples) < count else 'all'} shown"


def _same_window(drawn: Iterable[Drawn]) -> str:
    """The window of all tiles in words; empty where they differ."""
    said = {window_words(one.rendered) for one in drawn if one.rendered}
    return said.pop() if len(said) == 1 else ""


def _same_origin(drawn: Iterable[Drawn]) -> str:
    """Where the window of every tile comes from, without its numbers; empty where that differs, or has no ends."""
    shown = [one.rendered for one in drawn if one.rendered]
    said = {IN_BRACKETS.sub("", rendered.window or "") for rendered in shown if rendered.ends}
    return said.pop() if len(said) == 1 and all(rendered.ends for rendered in shown) else ""


def _windows(windows: Sequence[str], same: Mapping[str, str], origin: Mapping[str, str]) -> str:
    said = {}
    for window in windows:
        where = f", {origin[window]}" if origin[window] else ""
        said[window] = same[window] or f"each tile its own, said in its line{where}"
    if len(windows) == 1:
        return said[windows[0]]
    return "side by side for each slice: " + "; ".join(f"{window}: {what}" for window, what in said.items())


def _own_window(drawn: Drawn, same: str, origin: str) -> list[str]:
    """The window of one tile, where it is not that of all: its ends, and where it comes from if that differs too."""
    if same or drawn.rendered is None:
        return []
    if origin and drawn.rendered.ends:
        return ["{:g} is black, {:g} is white".format(*drawn.rendered.ends)]
    return [f"window {window_words(drawn.rendered).removeprefix('window ')}"]


def layout_words(layout: "Layout") -> str:
    rows = f"{layout.down} row{'s' if layout.down > 1 else ''}"
    columns = f"{layout.across * layout.beside} column{'s' if layout.across * layout.beside > 1 else ''}"
    return f"{rows}, {columns}, read from left to right, then down"


def _scale(layout: "Layout") -> str:
    if layout.scale == 1:
        return "in native pixels"
    if layout.scale > 1:
        return f"all enlarged {layout.scale:g} times, nearest neighbour"
    return f"all shrunk to {layout.scale:.3g} of the native size"


def pixels(tiles: Tiles) -> dict[str, str]:
    """Native sizes and encodings, all that occur."""
    shown = [(drawn.rendered, drawn.transfer_syntax) for drawn in tiles.values() if drawn.rendered]
    sizes = dict.fromkeys("{} x {}".format(*rendered.native) for rendered, _ in shown)
    kinds = dict.fromkeys(encoding(rendered, syntax) for rendered, syntax in shown)
    return {"native size": f"{' or '.join(sizes)} pixels (columns x rows)", "pixels": "; or ".join(kinds)}


# ---- a tile ----------------------------------------------------------------------------------------------------------


def _where(sample: Sample, stack: Stack) -> str:
    """Where a slice lies, or when a frame comes."""
    if stack.is_geometric and sample.slice.position is not None:
        return f"{sample.slice.position:.2f} mm"
    seconds = seconds_of(sample.obj, sample.frame) if sample.slice.frames > 1 else None
    return "" if seconds is None else f"{seconds:.2f} s"


def _identified(sample: Sample, stack: Stack, of_one: bool) -> str:
    """Which image: k of n, where or when, the instance or the frame, the segment. ``of_one``: all are frames of one
    instance. A plane is what no instance has."""
    count = len(stack.slices)
    what = "frame" if of_one and not stack.is_geometric else "slice" if sample.slice.instance_uid else "plane"
    parts = [f"{what} {sample.number} of {count}", _where(sample, stack)]
    if (not of_one or count == 1) and sample.slice.instance_uid:
        parts.append(f"SOPInstanceUID {sample.slice.instance_uid}")
    if sample.slice.frames > 1 and what != "frame":
        of = "" if of_one else f" of {sample.slice.frames}" + (" (the middle one)" * (not sample.slice.origin))
        parts.append(f"frame {sample.frame}{of}")
    return ", ".join(part for part in (*parts, _segment(sample, with_label=True)) if part)


def _segment(sample: Sample, *, with_label: bool) -> str:
    """The segment that a frame of a segmentation shows."""
    try:
        number, label = segment_of(sample.obj, sample.frame)
    except Problem:  # said of this tile when it was rendered
        return ""
    return "" if number is None else f"segment {number} {label if with_label else ''}".strip()


def _once(own: Mapping[str, Sequence[str]]) -> list[str]:
    """What holds for all tiles of a slice, then for each window what holds for its tile alone."""
    every = list(own.values())
    shared = [part for part in dict.fromkeys(part for parts in every for part in parts)
              if all(part in parts for parts in every)]  # fmt: skip
    alone = {window: [part for part in parts if part not in shared] for window, parts in own.items()}
    return shared + [f"{window}: {', '.join(parts)}" for window, parts in alone.items() if parts]


def _shown(drawn: Drawn, shared: Sequence[str]) -> list[str]:
    if drawn.rendered is None:
        return [f"not shown: {drawn.problem}"]
    rendered = drawn.rendered
    parts = []
    if rendered.value_range is not None:
        low, high = rendered.value_range
        parts.append(f"values {low:g} to {high:g}{unit_words(rendered)}")
    return parts + [note.rstrip(".") for note in rendered.notes if note not in shared]


def _shared_notes(tiles: Tiles) -> tuple[str, ...]:
    """What is to be said of every tile alike is said once."""
    found = [drawn.rendered.notes for drawn in tiles.values() if drawn.rendered]
    return tuple(note for note in found[0] if all(note in others for others in found)) if found else ()


def _about(drawing: Drawing) -> tuple[str, ...]:
    """What the pictures must not be taken for."""
    known = [sample.obj for sample in drawing.samples if sample.obj]
    notes = []
    spacings = {tuple(numbers(obj, "PixelSpacing")) for obj in known}
    if len(spacings) > 1 and not drawing.fills:
        notes.append("The images differ in PixelSpacing; the tiles share one scale in pixels, not in mm.")
    return (*notes, *marks_and_text(known))
