"""Kind of object -> what is measured in its pixels."""

from collections.abc import Callable, Mapping

from ..dicom.kinds import Kind
from ..dicom.values import DicomJson
from .doses import DoseTally
from .maps import MapTally
from .measured import Tally
from .segments import SegmentTally

TALLIES: Mapping[Kind, Callable[[DicomJson], Tally]] = {
    Kind.SEGMENTATION: SegmentTally,
    Kind.RT_DOSE: DoseTally,
    Kind.PARAMETRIC_MAP: MapTally,
}
