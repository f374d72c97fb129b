"""The verdict on the geometry of images, in a sentence."""

from collections.abc import Mapping, Sequence

from ..facts import amount
from .dimensions import Multiplicity
from .orientation import orientation
from .stacks import PlaneStack, same_orientation, same_spacing
from .words import MOST_SHOWN, joined, mm

NO_POSITION = "These images carry no position and orientation in the patient that can be used."
ON_SLIDE = "The positions of these images are those of a slide, not of a patient."
UNREAD = (
    "Whether this is a regular volume cannot be told: the positions of frames are not in the metadata that was read "
    "(functional groups that the archive left out?)."
)
SAMPLED = "Whether this is a regular volume cannot be told: only the positions of some images were read."

Verdict = tuple[str, bool | None]


def verdict(found: Sequence[PlaneStack], beyond: int, others: Mapping[str, int]) -> Verdict:
    """The verdict on stacks, on ``beyond`` planes that were not looked at, and on ``others``: how many images are
    localizers or have no position."""
    if found[0].grid.is_localizer:
        return f"No volume: {amount(sum(stack.images for stack in found) + beyond, 'localizer image')}.", False
    lacking = others.get("without_position", 0)
    because = [f"{amount(lacking, 'image')} {'has' if lacking == 1 else 'have'} no position"] if lacking else []
    if len(found) > 1 or beyond:
        return _on_many(found, beyond, because), False
    return _on_one(found[0], because) if len(found[0].positions) > 1 else _on_a_position(found[0], because)


def _on_many(found: Sequence[PlaneStack], beyond: int, because: Sequence[str]) -> str:
    number = f"over {len(found)}" if beyond else str(len(found))
    stacked = "; ".join(map(_stack, found[:3])) + ("; ..." if len(found) > 3 or beyond else "")
    return f"Not one regular volume: {number} stacks ({stacked}), because {joined([*_differing(found), *because])}."


def _differing(found: Sequence[PlaneStack]) -> list[str]:
    """In what the stacks differ."""
    grids = [stack.grid for stack in found]
    reasons = []
    frames = {grid.frame_of_reference for grid in grids} - {""}
    if len(frames) > 1:
        reasons.append(f"there are {len(frames)} frames of reference, whose positions cannot be compared")
    if frames and (nameless := sum(stack.images for stack in found if not stack.grid.frame_of_reference)):
        reasons.append(f"{amount(nameless, 'image')} name{'s' * (nameless == 1)} no frame of reference")
    if not all(same_orientation(grid, grids[0]) for grid in grids):
        reasons.append("their orientations differ")
    if len({(grid.rows, grid.columns) for grid in grids}) > 1:
        reasons.append("their rows and columns differ")
    if not all(same_spacing(grid, grids[0]) for grid in grids):
        reasons.append("their pixel spacings differ")
    return reasons or ["they lie side by side in the plane"]


def _on_one(stack: PlaneStack, because: list[str]) -> Verdict:
    times = stack.times
    if stack.is_aligned and not stack.gaps and times.is_complete and not because:
        if times.most == 1:
            return f"One regular volume: {_stack(stack)}.", True
        return (
            f"Not one regular volume but {times.most} in one place: {_stack(stack)}, with {times.most} images at each "
            f"position, told apart by {_by(times)}.",
            False,
        )
    reasons = [*_uneven(stack), *_askew(stack), *_crowded(times), *because]
    return f"Not one regular volume: {len(stack.positions)} {_plane(stack)} slices, because {joined(reasons)}.", False


def _on_a_position(stack: PlaneStack, because: Sequence[str]) -> Verdict:
    times = stack.times
    rest = f", and {joined(because)}" if because else ""
    if times.most == 1:
        return f"No volume: a single image, {_plane(stack)}{rest}.", None
    apart = f", told apart by {_by(times)}" if times.varied else ""
    alike = f", {_alike(times)}" if times.alike else ""
    return f"No volume: {times.most} images at one position, {_plane(stack)}{apart}{alike}{rest}.", False


def _uneven(stack: PlaneStack) -> list[str]:
    """Why the spacing is not regular, if it is not."""
    gaps, runs = stack.gaps, stack.runs
    if not gaps:
        return []
    missing = sum(gap.missing for gap in gaps)
    if all(gap.missing for gap in gaps):
        places = ", ".join(f"{mm(gap.after):g} and {mm(gap.before):g} mm" for gap in gaps[:3])
        more = ", ..." if len(gaps) > 3 else ""
        return [f"{amount(missing, 'slice')} {'is' if missing == 1 else 'are'} missing (between {places}{more})"]
    if len(runs) <= MOST_SHOWN:
        return [f"the spacing is irregular ({', '.join(f'{run.steps} x {mm(run.spacing):g} mm' for run in runs)})"]
    sizes = [gap.size for gap in gaps]
    return [
        f"the spacing is irregular ({amount(len(gaps), 'gap')} of {mm(min(sizes)):g} to {mm(max(sizes)):g} mm, where "
        f"{mm(stack.spacing or 0.0):g} mm is usual)"
    ]


def _askew(stack: PlaneStack) -> list[str]:
    """Why the slices do not line up along the normal, if they do not."""
    if stack.scatter:
        return [f"its slices do not line up (by up to {mm(stack.scatter):g} mm)"]
    if not stack.shear:
        return []
    regular = "" if stack.gaps else f", although its spacing is regular ({mm(stack.spacing or 0.0):g} mm)"
    return [f"it is sheared by {round(stack.shear, 1):g} degrees (as by a tilted gantry){regular}"]


def _crowded(times: Multiplicity) -> list[str]:
    """What is to be said of positions with more than one image."""
    said = []
    apart = f", told apart by {_by(times)}" if times.varied else ""
    if times.least != times.most:
        said.append(f"its positions have {times.least} to {times.most} images{apart}")
    elif times.most > 1:
        said.append(f"each position has {times.most} images{apart}")
    return [*said, _alike(times)] if times.alike else said


def _alike(times: Multiplicity) -> str:
    number = len(times.alike)
    verb = "has" if number == 1 else "have"
    return f"{amount(number, 'position')} {verb} images that nothing read here tells apart (duplicates?)"


def _by(times: Multiplicity) -> str:
    return joined([varied.words for varied in times.varied])


def _stack(stack: PlaneStack) -> str:
    """``120 axial slices, 2.5 mm apart``"""
    slices = len(stack.positions)
    if slices == 1:
        return f"{amount(stack.images, 'image')}, {_plane(stack)}"
    return f"{slices} {_plane(stack)} slices, " + (
        "irregular" if stack.gaps or not stack.is_aligned else f"{mm(stack.spacing or 0.0):g} mm apart"
    )


def _plane(stack: PlaneStack) -> str:
    words, _, detail = orientation(stack.normal).partition(", ")
    return f"{words} ({detail})" if detail else words
