"""Two series side by side: for each image of the first (A) the one of the second (B) that lies at the same place."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import anyio

from ..archives.base import Archive, Place
from ..dicom.geometry import Stack
from ..dicom.rules import Level
from ..dicom.uids import checked_uid
from ..dicom.values import DicomJson, clean, text
from ..dicom.volume.orientation import orientation
from ..dicom.volume.pairing import Spot, are_parallel
from ..dicom.volume.parts import Part, parts
from ..dicom.volume.walk import stacks_in_words
from ..errors import BadArgument
from .app import App
from .idc.known import is_indexed
from .instance import instance_metadata
from .lookup import find_place, first_row
from .overlay import Overlay
from .pair_sheet import Pair, PairSheet, spot_of
from .pictures import Shown
from .samples import Sample, SeriesRequest, chosen, sample_of
from .slices import Listed, list_images
from .tiles import Drawing

SWAP = "To choose one of them, make that series series_uid with its stack, and this one compare_with."


async def compared(
    app: App,
    archive: Archive,
    place: Place,
    stack: Stack,
    listed: Listed,
    request: SeriesRequest,
    overlay: Overlay | None = None,
) -> Shown:
    """The sheet of both series. Raises BadArgument where nothing tells which of their images lie at one place."""
    if stack.reach is None:
        raise BadArgument(" ".join(("compare_with needs images of one stack in space.", *stack.notes)))
    other_place = await _place_of(app, archive, place, checked_uid(request.compare_with or "", "compare_with"))
    samples = chosen(stack, request.samples, request.slices, listed.metadata)
    first = Drawing(archive, place, stack, samples, request.windows, fills=True)
    await first.read()
    if not any(sample.obj for sample in samples):
        first.refuse_nothing()
    _refuse_without_a_scale("first", first)
    other_listed = await list_images(archive, other_place)
    _refuse_another_space(first, [await _any_metadata(archive, other_place, other_listed)])
    spots = [spot_of(first, sample) for sample in samples]
    other_stack = await _parallel_stack(other_listed, spots)
    pairs = _paired(samples, spots, other_stack, other_listed.metadata)
    found = list({pair.other.number: pair.other for pair in pairs if pair.other}.values())
    second = Drawing(archive, other_place, other_stack, found, request.windows, fills=True)
    await second.read()
    _refuse_another_space(first, [sample.obj for sample in found if sample.obj])
    _refuse_without_a_scale("second", second)
    first.overlay = overlay
    second.overlay = overlay if other_place.study_uid == place.study_uid else None
    return await PairSheet(first, second, pairs, request).show()


# ---- which images ----------------------------------------------------------------------------------------------------


async def _place_of(app: App, archive: Archive, place: Place, series_uid: str) -> Place:
    """In the same study where it is there, else wherever the archive finds it; no series of IDC is in two studies."""
    if not is_indexed(archive.profile.kind) and await first_row(archive, Level.SERIES, series_uid, place.study_uid):
        return Place(place.study_uid, series_uid)
    return await find_place(app, archive, None, series_uid, None)


async def _any_metadata(archive: Archive, place: Place, listed: Listed) -> DicomJson:
    if listed.is_complete:
        return listed.objects[0]
    return await instance_metadata(archive, replace(place, instance_uid=text(listed.objects[0], "SOPInstanceUID")))


def _refuse_another_space(first: Drawing, others: Iterable[DicomJson]) -> None:
    """Positions of two frames of reference have nothing to do with each other (PS3.3 C.7.4.1)."""
    known = [text(sample.obj, "FrameOfReferenceUID") for sample in first.samples if sample.obj]
    here = known[0] if known else ""
    for other in others:
        if (there := text(other, "FrameOfReferenceUID")) != here or not here:
            raise BadArgument(
                "The two series do not share a frame of reference: FrameOfReferenceUID is "
                f"{clean(here) or 'missing'} in the first and {clean(there) or 'missing'} in the second. "
                "Their positions are measured from different origins, so nothing tells which images lie at one place "
                "(a registration, Modality REG, may). Preview each by itself."
            )


def _refuse_without_a_scale(which: str, drawing: Drawing) -> None:
    from ..pixels.sheet import shape_in_mm

    if not all(max(shape_in_mm(drawing.view(sample))) for sample in drawing.samples if sample.obj):
        raise BadArgument(f"compare_with needs PixelSpacing in both series, and the {which} has images without it.")


async def _parallel_stack(listed: Listed, spots: Sequence[Spot]) -> Stack:
    """The only stack of B, or of several the only one that is parallel to A and has images there."""
    found = await anyio.to_thread.run_sync(lambda: parts(listed.images), abandon_on_cancel=True)
    if len(found) == 1:
        _refuse_another_direction(found[0], spots[0])
        return await listed.walked()
    fitting = [nth for nth, part in enumerate(found, start=1) if _is_there(part, spots)]
    if len(fitting) == 1:
        return await listed.walked(fitting[0])
    which = f"{len(fitting)} of them are" if fitting else "none of them is"
    raise BadArgument(
        f"The second series has {stacks_in_words(found)}; {which} parallel to the first and at its places. "
        f"{SWAP if fitting else ''}".strip()
    )


def _refuse_another_direction(part: Part, spot: Spot) -> None:
    if part.stack is None:
        raise BadArgument("The images of the second series have no positions in space to compare by.")
    if not are_parallel(part.stack.normal, spot.axis):
        raise BadArgument(
            f"The images of the two series are not parallel: the first are {orientation(spot.axis)}, the second "
            f'{orientation(part.stack.normal)}. Preview each by itself; plane="coronal" and the like cut a volume anew.'
        )


def _is_there(part: Part, spots: Sequence[Spot]) -> bool:
    if part.stack is None or not are_parallel(part.stack.normal, spots[0].axis):
        return False
    walked = part.walked()
    return any(spot.nearest(walked.slices, walked.reach or 0.0) for spot in spots)


def _paired(
    samples: Sequence[Sample], spots: Sequence[Spot], stack: Stack, metadata: Mapping[str, DicomJson]
) -> list[Pair]:
    others: dict[int, Sample] = {}
    pairs = []
    for sample, spot in zip(samples, spots, strict=True):
        if near := spot.nearest(stack.slices, stack.reach or 0.0):
            number, distance = near
            other = others.setdefault(number, sample_of(stack, number, metadata))
            pairs.append(Pair(sample, other, distance))
        else:
            pairs.append(Pair(sample))
    if not others:
        places = sorted(spots[0].distance(item) for item in stack.slices)
        mine = sorted(spots[0].distance(sample.slice) for sample in samples)
        raise BadArgument(
            "No image of the second series lies where one of these of the first does. Along the normal, from slice "
            f"{samples[0].number} of the first, these lie at {mine[0]:.2f} to {mine[-1]:.2f} mm, and those of the "
            f"second at {places[0]:.2f} to {places[-1]:.2f} mm."
        )
    return pairs
