"""The figures behind the verdict; lengths in mm, positions along the normal."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from ..facts import filled, shared
from .dimensions import Multiplicity
from .orientation import orientation, towards
from .stacks import SPACING_PART, Gap, PlaneStack, Run
from .words import MOST_SHOWN, mm, values

OWN = ("orientation", "images", "slices", "position_mm")  # what the row of a stack always has


def stack_facts(stack: PlaneStack) -> dict[str, Any]:
    """What there is to say of one stack."""
    times = stack.times
    return filled(
        orientation=orientation(stack.normal),
        images=stack.images,
        slices=len(stack.positions),
        position_mm=_positions(stack),
        spacing_mm=mm(stack.spacing) if stack.spacing else None,
        **_irregularities(stack),
        shear_degrees=round(stack.shear, 1) or None,
        gantry_tilt_degrees=values(_said(stack, "tilt")),
        misaligned_mm=mm(stack.scatter) or None,
        **_further(stack, times),
        **_size(stack),
        **_thickness(stack),
        extent_mm=_extent(stack),
    )


def stack_list(found: Sequence[PlaneStack], beyond: int) -> dict[str, Any]:
    """A row for each stack, without its extent; what all of them share is said once."""
    rows = [stack_facts(stack) for stack in found[:MOST_SHOWN]]
    for row in rows:
        row.pop("extent_mm", None)
    common = shared(rows, keep=OWN) if len(found) <= MOST_SHOWN else {}
    frames = len({stack.grid.frame_of_reference for stack in found} - {""})
    return filled(
        stacks=rows,
        more_stacks=max(len(found) - MOST_SHOWN, 0) or None,
        images_in_more_stacks=(sum(stack.images for stack in found[MOST_SHOWN:]) + beyond) or None,
        frames_of_reference=frames if frames > 1 else None,
        **common,
    )


def sample_facts(found: Sequence[PlaneStack], beyond: int) -> dict[str, Any]:
    """What a sample can tell: orientations and sizes, and no positions."""
    rows = [
        filled(
            orientation=orientation(stack.normal),
            images_in_sample=stack.images,
            **_size(stack),
            slice_thickness_mm=values(_said(stack, "thickness")),
        )
        for stack in found[:MOST_SHOWN]
    ]
    if len(found) == 1 and not beyond:
        return rows[0]
    return filled(stacks=rows, more_stacks=max(len(found) - MOST_SHOWN, 0) or None)


def _positions(stack: PlaneStack) -> Any:
    """The first and the last, and where the normal points; the only one as a number."""
    first, last = mm(stack.positions[0]), mm(stack.positions[-1])
    return {"first": first, "last": last, "towards": towards(stack.normal)} if len(stack.positions) > 1 else first


def _size(stack: PlaneStack) -> dict[str, Any]:
    """Rows, columns, and PixelSpacing with the digits of the file: between rows, between columns."""
    grid = stack.grid
    return filled(rows=grid.rows or None, columns=grid.columns or None, pixel_spacing_mm=list(grid.pixel_spacing))


def _irregularities(stack: PlaneStack) -> dict[str, Any]:
    """The gaps; or runs of equal steps, where these say it in fewer words."""
    gaps, runs = stack.gaps, stack.runs
    if len(runs) <= MOST_SHOWN < len(gaps):
        return {"steps": [_run(run) for run in runs]}
    return filled(
        gaps=[_gap(gap) for gap in gaps[:MOST_SHOWN]],
        more_gaps=max(len(gaps) - MOST_SHOWN, 0) or None,
        missing_slices=sum(gap.missing for gap in gaps) or None,
    )


def _gap(gap: Gap) -> dict[str, Any]:
    ends = {"after_mm": mm(gap.after), "before_mm": mm(gap.before), "gap_mm": mm(gap.size)}
    return {**ends, "missing_slices": gap.missing} if gap.missing else ends


def _run(run: Run) -> dict[str, Any]:
    return {"from_mm": mm(run.first), "to_mm": mm(run.last), "steps": run.steps, "spacing_mm": mm(run.spacing)}


def _further(stack: PlaneStack, times: Multiplicity) -> dict[str, Any]:
    """How many images lie at one position, why, and where it is another number than elsewhere."""
    if times.most == 1:
        return {}
    usual = Counter(map(len, stack.members)).most_common(1)[0][0]
    uneven = [
        {"at_mm": mm(position), "images": len(images)}
        for position, images in zip(stack.positions, stack.members, strict=True)
        if len(images) != usual
    ]
    return filled(
        images_per_position=times.most if times.least == times.most else f"{times.least}..{times.most}",
        dimensions=[varied.facts() for varied in times.varied],
        positions_with_other_counts=uneven[:MOST_SHOWN],
        more_positions_with_other_counts=max(len(uneven) - MOST_SHOWN, 0) or None,
        positions_with_duplicates=len(times.alike) or None,
        duplicates_at_mm=[mm(stack.positions[index]) for index in islice(times.alike, MOST_SHOWN)],
        duplicates=times.surplus or None,
    )


def _said(stack: PlaneStack, name: str) -> Counter[float]:
    """The values of an attribute of the grid over all images, without those that do not say it."""
    found = Counter(float(getattr(plane.grid, name)) for images in stack.members for plane in images)
    del found[0.0]
    return found


def _thickness(stack: PlaneStack) -> dict[str, Any]:
    """The thickness of the slices where it is not their spacing, and whether they overlap."""
    found, spacing = _said(stack, "thickness"), stack.spacing
    if len(found) != 1 or not spacing or stack.gaps:
        return filled(slice_thickness_mm=values(found))
    thickness = next(iter(found))
    between = spacing - thickness
    if abs(between) <= max(SPACING_PART * spacing, stack.same_place):
        return {}
    return {"slice_thickness_mm": thickness, "overlap_mm" if between < 0 else "between_slices_mm": mm(abs(between))}


def _extent(stack: PlaneStack) -> dict[str, float]:
    """From edge to edge: along a row, along a column, and along the normal, where the outer slices are as thick as
    all are said to be, else as their spacing."""
    grid, found = stack.grid, _said(stack, "thickness")
    thickness = next(iter(found)) if len(found) == 1 else stack.spacing or 0.0
    between_rows, between_columns = grid.pixel_spacing or (0.0, 0.0)
    return filled(
        along_row=mm(grid.columns * between_columns) or None,
        along_column=mm(grid.rows * between_rows) or None,
        along_normal=mm(stack.positions[-1] - stack.positions[0] + thickness) or None,
    )
