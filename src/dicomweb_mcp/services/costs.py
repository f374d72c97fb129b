"""What frames will cost, before they are asked for: of a shared archive, what would take too much takes nothing."""

from collections.abc import Iterable, Sequence

from ..archives.base import Archive, Place
from ..dicom.uids import NATIVE
from ..dicom.values import DicomJson, transfer_syntaxes
from ..errors import Problem

Wanted = tuple[str, DicomJson, Sequence[int]]  # the UID of an instance, its metadata, numbers of its frames


def expected_bytes(archive: Archive, series: Place, wanted: Iterable[Wanted]) -> int:
    """The bytes of frames of a series that are not remembered. Those that are stored compressed count nothing, because
    nobody knows how much that saves, and neither do those that cannot be shown. Where no transfer syntax is named, it
    is taken for a native one, as most are."""
    return sum(_expected(archive, series, *one) for one in wanted)


def _expected(archive: Archive, series: Place, uid: str, obj: DicomJson, numbers: Sequence[int]) -> int:
    from ..pixels.description import PixelDescription

    if not NATIVE.issuperset(transfer_syntaxes(obj)):
        return 0
    try:
        each = PixelDescription.of(obj, "").frame_bytes
    except Problem:
        return 0
    return each * archive.to_fetch(Place(series.study_uid, series.series_uid, uid), numbers)
