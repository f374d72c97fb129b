"""What an instance is made around: the pixels of one picture, or a document."""

from dataclasses import dataclass

from ...errors import Problem
from ..uids import EXPLICIT


class NotMade(Problem):
    """A file that cannot become an instance: why, and where there is one, what would mend it."""


@dataclass(frozen=True)
class Lossy:
    """How a picture once lost information: LossyImageCompressionMethod, and its size before by that after."""

    method: str
    ratio: float


@dataclass(frozen=True)
class Pixels:
    """One picture as it will be stored: grey, or three colours pixel by pixel, without a sign.

    ``data`` is the whole stream where ``transfer_syntax`` is a compressed one. ``aspect`` is height and width of a
    pixel that is not square, ``notes`` say what was done to it.
    """

    rows: int
    columns: int
    photometric_interpretation: str
    bits: int
    data: bytes
    transfer_syntax: str = EXPLICIT
    aspect: tuple[int, int] | None = None
    lossy: Lossy | None = None
    icc_profile: bytes = b""
    notes: tuple[str, ...] = ()

    @property
    def samples_per_pixel(self) -> int:
        return 1 if self.photometric_interpretation.startswith("MONOCHROME") else 3

    @property
    def is_compressed(self) -> bool:
        return self.transfer_syntax != EXPLICIT


@dataclass(frozen=True)
class Document:
    """A PDF document."""

    data: bytes
    notes: tuple[str, ...] = ()
