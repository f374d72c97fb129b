"""Frames of a volume, one after the other -> pictures in other planes, as frames that ``render`` takes like any other.

Of each frame only the lines that are needed are kept. Nothing is interpolated: a value of a picture is that of a voxel.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dicom.tags import tag_of
from ..dicom.values import DicomJson, element, plain_value, text
from ..dicom.volume.reformat import ALONG_SLICES, Reformat
from ..errors import BadArgument
from .decode import LOSSY, decode
from .description import PixelDescription
from .modality import padding, real_values, unit

PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
NOT_OF_A_PICTURE = (*PIXELS, "NumberOfFrames", "SOPInstanceUID", "InstanceNumber", "PatientOrientation")
STORING = (
    "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "DoseGridScaling", "ModalityLUTSequence",
    "PixelPaddingValue", "PixelPaddingRangeLimit",
)  # fmt: skip
"""What has to be the same in all slices for their stored values to mean the same."""
WINDOWS = ("WindowCenter", "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "VOILUTSequence")
OF_STORED_VALUES = ("BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit",
                    "VOILUTSequence")  # fmt: skip


def differing(views: Sequence[DicomJson], keywords: Sequence[str]) -> list[str]:
    """Which of these attributes are not the same in all views."""
    return [
        keyword for keyword in keywords if any(_value(view, keyword) != _value(views[0], keyword) for view in views)
    ]


def _value(view: DicomJson, keyword: str) -> Any:
    """A number is the same however it is written; of a sequence all counts."""
    return element(view, keyword) if keyword.endswith("Sequence") else plain_value(view, keyword)


@dataclass
class Lines:
    """The lines of each frame that pictures of other planes need. ``views`` describe the slices, ascending along the
    normal; ``numbers`` are the pictures wanted, by number from 1.

    Raises BadArgument for slices whose values are of several kinds, Undecodable for one that is no image.
    """

    reformat: Reformat
    views: Sequence[DicomJson]
    numbers: Sequence[int]
    notes: dict[str, None] = field(default_factory=dict)
    lossy: bool = False

    def __post_init__(self) -> None:
        self._description = PixelDescription.of(self._middle, "")
        for view in self.views:
            self._refuse_colour(PixelDescription.of(view, ""))
        if len({(text(view, "PhotometricInterpretation"), unit(view)) for view in self.views}) > 1:
            raise BadArgument("The slices differ in PhotometricInterpretation or in the unit of their values.")
        self.as_stored = not differing(self.views, STORING) and self._description.kind == "integer"
        if not self.as_stored and any(element(view, "ModalityLUTSequence") for view in self.views):
            raise BadArgument("The slices have lookup tables for their values, and these or the pixels differ.")
        count = len(self.views), self.reformat.volume.axes[1 - self.reformat.through.axis].count
        self._kept = np.zeros((len(self.numbers), *count), self._kind())

    @property
    def frame_bytes(self) -> int:
        """Of one uncompressed frame."""
        return self._description.frame_bytes

    @property
    def _middle(self) -> DicomJson:
        return self.views[len(self.views) // 2]

    def _kind(self) -> np.dtype[Any]:
        if not self.as_stored:
            return np.dtype("<f8")
        size = max(1, self._description.bits_allocated // 8)
        return np.dtype(f"<{'i' if self._description.is_signed else 'u'}{size}")

    def _refuse_colour(self, description: PixelDescription) -> None:
        if not description.photometric_interpretation.startswith("MONOCHROME"):
            raise BadArgument(
                f"Reformats are made of grey images, and these are {description.photometric_interpretation}."
            )

    def take(self, slice: int, frame: bytes, transfer_syntax: str) -> None:
        """Keep the lines of one frame; ``slice`` counts from 0. Raises Undecodable."""
        view = self.views[slice]
        description = PixelDescription.of(view, transfer_syntax)
        decoded = decode(frame, description)
        self.notes |= dict.fromkeys(decoded.notes)
        self.lossy = self.lossy or description.transfer_syntax in LOSSY
        values = decoded.array if self.as_stored else _real(decoded.array, view, description)
        indexes = [self.reformat.index(number) for number in self.numbers]
        self._kept[:, slice] = values[:, indexes].T if self.reformat.through.axis == 0 else values[indexes]

    def picture(self, number: int) -> tuple[bytes, DicomJson]:
        """One picture as an uncompressed little-endian frame, and the object that describes it."""
        across, down = self.reformat.across, self.reformat.down
        pixels = self._kept[list(self.numbers).index(number)]
        pixels = pixels if down.axis == ALONG_SLICES else pixels.T
        pixels = pixels[:: -1 if down.backwards else 1, :: -1 if across.backwards else 1]
        return pixels.tobytes(), self.described(number)

    def described(self, number: int) -> DicomJson:
        """The object of a picture: the middle slice's, but for where it lies and how its pixels are stored."""
        place = self.reformat.slice(number)
        obj = {tag: value for tag, value in self._middle.items() if tag not in map(tag_of, NOT_OF_A_PICTURE)}
        obj |= _attributes(
            Rows=("US", self.reformat.rows),
            Columns=("US", self.reformat.columns),
            PixelSpacing=("DS", *self.reformat.pixel_spacing),
            ImageOrientationPatient=("DS", *place.orientation),
            ImagePositionPatient=("DS", *place.origin),
            BitsAllocated=("US", 8 * self._kept.dtype.itemsize),
        )
        if self.lossy or text(obj, "LossyImageCompression") == "01":
            obj |= _attributes(LossyImageCompression=("CS", "01"))
        if self.as_stored:
            return obj | _attributes(HighBit=("US", self._description.bits_stored - 1))
        return _of_real_values(obj)


def _real(stored: NDArray[Any], view: DicomJson, description: PixelDescription) -> NDArray[np.float64]:
    """Real values; padding, whose number means something in stored values alone, is none of them."""
    real = real_values(stored, view, is_signed=description.is_signed)
    outside = padding(stored, view, description)
    return real if outside is None else np.where(outside, np.nan, real)


def _of_real_values(obj: DicomJson) -> DicomJson:
    """The same as double pixels that need no rescaling. Windows are in real units; a VOI LUT counts stored values."""
    kept = {tag: value for tag, value in obj.items() if tag not in map(tag_of, OF_STORED_VALUES)}
    for keyword, neutral in (("RescaleSlope", 1), ("RescaleIntercept", 0), ("DoseGridScaling", 1)):
        if found := element(obj, keyword):
            kept[tag_of(keyword)] = {**found, "Value": [neutral]}
    return kept | {tag_of("DoubleFloatPixelData"): {"vr": "OD"}}


def _attributes(**values: tuple[Any, ...]) -> dict[str, Any]:
    return {tag_of(keyword): {"vr": vr, "Value": list(value)} for keyword, (vr, *value) in values.items()}
