"""Kind of object -> what is measured in its pixels."""

from collections.abc import Callable, Mapping

from ...dicom.kinds import Kind
from ...dicom.values import DicomJson
from .doses import DoseTally
from .maps import MapTally
from .segments import SegmentTally
from .tally import Tally

TALLIES: Mapping[Kind, Callable[[DicomJson], Tally]] = {
    Kind.SEGMENTATION: SegmentTally,
    Kind.RT_DOSE: DoseTally,
    Kind.PARAMETRIC_MAP: MapTally,
}
