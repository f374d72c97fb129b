"""What segmentations and structure sets have in common when they are drawn on an image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from ...dicom.values import DicomJson, text
from ...dicom.volume.plane import Plane, planes
from ...errors import BadArgument

if TYPE_CHECKING:
    from ...pixels.overlay.drawing import Path
    from ...pixels.overlay.segments import Mask


class Misplaced(BadArgument):
    """The object cannot be shown to lie where the image does: ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} describe_object of the overlay names the images that it was made from.")


@dataclass(frozen=True)
class Target:
    """A frame (from 1) of an image that is drawn on."""

    obj: DicomJson
    frame: int = 1

    @cached_property
    def plane(self) -> Plane:
        """Where it lies; without origin where that is not known."""
        found = planes(self.obj)
        return found[self.frame - 1] if len(found) >= self.frame else Plane(found[0].grid)

    @property
    def uid(self) -> str:
        return text(self.obj, "SOPInstanceUID")


@dataclass(frozen=True)
class Cut:
    """A plane: a point in it and its normal."""

    point: tuple[float, ...]
    normal: tuple[float, ...]


@dataclass(frozen=True)
class Part:
    """What of one segment or region lies on an image: where its pixels are, or its contours, and that in words."""

    size: str
    mask: "Mask | None" = None
    paths: "Sequence[Path]" = ()


@dataclass
class Found:
    """The parts on one image by the number of their segment or region; ``how`` they were placed, in words.
    ``is_whole``: nothing was left out, so that what is not among the parts does not lie on the image."""

    parts: dict[int, Part] = field(default_factory=dict)
    how: str = ""
    notes: list[str] = field(default_factory=list)
    is_whole: bool = True


class Source(Protocol):
    """One object that can be drawn."""

    @property
    def names(self) -> Mapping[int, str]:
        """Its segments or regions by number."""
        ...

    @property
    def recommended(self) -> Mapping[int, str]:
        """The colour of each as the object wants it, ``#rrggbb`` or empty."""
        ...

    def reach(self, numbers: Sequence[int]) -> str:
        """Where these segments or regions lie along the normal of their planes, in words, or empty."""
        ...

    async def on(self, target: Target, numbers: Sequence[int]) -> Found:
        """What of these segments or regions lies on the image. Raises Misplaced, Undecodable or ArchiveError."""
        ...

    async def fullest(self, number: int) -> Cut | None:
        """The plane that holds the most of one; None where it is empty. Raises as ``on``."""
        ...


def check_space(target: Target, space: str, what: str) -> None:
    """Raises Misplaced unless image and object have one frame of reference."""
    own = target.plane.grid.frame_of_reference
    if own and own == space:
        return
    if own and space:
        raise Misplaced(
            f"{what.capitalize()} lies in the frame of reference {space}, and this image in {own}: their coordinates "
            "do not compare, so nothing is drawn."
        )
    lacking, where = (what.capitalize(), "this image") if own else ("This image", "it")
    raise Misplaced(f"{lacking} names no FrameOfReferenceUID, so where {what} lies on {where} is not known.")
