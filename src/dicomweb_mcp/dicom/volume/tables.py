"""Which attributes tell where an image lies, and which tell it from others at one place."""

from dataclasses import dataclass

from ..kinds import ROOT


@dataclass(frozen=True, slots=True)
class Dimension:
    """An attribute by which images at one position may differ."""

    keyword: str
    unit: str = ""
    in_groups: bool = False  # or a value per frame, which no search returns


DIMENSIONS = (
    Dimension("ReferencedSegmentNumber", in_groups=True),
    Dimension("DiffusionBValue", "s/mm²"),
    Dimension("DiffusionGradientOrientation"),
    Dimension("EchoTime", "ms"),
    Dimension("EffectiveEchoTime", "ms", in_groups=True),
    Dimension("InversionTime", "ms"),
    Dimension("InversionTimes", "ms", in_groups=True),
    Dimension("FlipAngle", "degrees"),
    Dimension("KVP", "kV"),
    Dimension("EnergyWindowNumber"),
    Dimension("EnergyWindowVector", in_groups=True),
    Dimension("TemporalPositionIdentifier"),
    Dimension("TemporalPositionIndex", in_groups=True),
    Dimension("RRIntervalVector", in_groups=True),
    Dimension("TimeSlotVector", in_groups=True),
    Dimension("TimeSliceVector", in_groups=True),
    Dimension("NominalCardiacTriggerDelayTime", "ms", in_groups=True),
    Dimension("TriggerTime", "ms"),
    Dimension("NominalPercentageOfCardiacPhase", "%"),
    Dimension("FrameReferenceTime", "ms"),
    Dimension("ComplexImageComponent"),
    Dimension("FrameType", in_groups=True),
    Dimension("ImageType"),
    Dimension("AcquisitionNumber"),
    Dimension("FrameAcquisitionNumber", in_groups=True),
    Dimension("ConvolutionKernel"),
    Dimension("SliceThickness", "mm"),
)
"""In the order of preference: what was set before what was counted."""

CLOCKS = (
    Dimension("FrameAcquisitionDateTime", in_groups=True),
    Dimension("AcquisitionDateTime"),
    Dimension("AcquisitionTime"),
    Dimension("ContentTime"),
)
"""When it was taken. Nearly every image has a time of its own, so these explain only what nothing else does."""

PLACING = (
    "FrameOfReferenceUID", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "SliceThickness",
    "GantryDetectorTilt",
)  # fmt: skip
GRID_FIELDS = (*PLACING, "FrameType", "ImageType")
VECTORS = ("EnergyWindowVector", "RRIntervalVector", "TimeSlotVector", "TimeSliceVector")  # NM: a value per frame

GEOMETRY_FIELDS: tuple[str, ...] = (
    "SOPClassUID", "Modality", "NumberOfFrames", "ImagePositionPatient", "ImageOrientationSlide",
    "TotalPixelMatrixColumns",
    *dict.fromkeys(
        [*PLACING, *(dimension.keyword for dimension in (*DIMENSIONS, *CLOCKS) if not dimension.in_groups)]
    ),
)  # fmt: skip
"""What an instance search has to return so that ``planes`` can read its rows. Functional groups are none of it."""

FRAMES_ELSEWHERE = frozenset(
    f"{ROOT}{suffix}"
    for suffix in (
        "2.1", "2.2", "4.1", "4.3", "4.4", "13.1.1", "13.1.2", "13.1.3", "20", "30", "66.4", "66.7", "77.1.5.4",
        "128.1", "130", "481.2",
    )
)  # fmt: skip
"""Classes whose frames have places (functional groups, NM slices, dose grids): where none is read, none was sent."""
