"""Colour by an ICC profile (PS3.3 C.11.15) -> sRGB, which is what a viewer of the picture assumes."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from ..dicom.values import DicomJson, element, items, text
from .lut import table_bytes
from .problems import MissingBulk, Undecodable

KEYWORD = "ICCProfile"
AS_STORED = "as stored"
UNUSABLE = "The file has an ICC profile that cannot be used, so its colours are shown as stored."


def icc_profile(view: DicomJson) -> bytes | None:
    """The profile of the frame: at the top level, or of its optical path; empty when it cannot be read, None for none.

    Raises MissingBulk.
    """
    holder = _holder(view)
    if holder is None:
        return None
    try:
        return table_bytes(holder, KEYWORD)
    except MissingBulk:
        raise
    except Undecodable:
        return b""


def has_profile(view: DicomJson) -> bool:
    """Whether the file says what its colours are."""
    return _holder(view) is not None


def to_srgb(rgb: NDArray[np.uint8], profile: bytes | None) -> tuple[NDArray[np.uint8], str, tuple[str, ...]]:
    """The converted pixels, what was done to the colours in words, and notes."""
    if profile is None:
        return rgb, AS_STORED, ()
    try:
        source = ImageCms.ImageCmsProfile(BytesIO(profile))
        transform = ImageCms.buildTransform(
            source, ImageCms.createProfile("sRGB"), "RGB", "RGB", ImageCms.Intent(ImageCms.getDefaultIntent(source))
        )
        image = Image.fromarray(np.ascontiguousarray(rgb))
        ImageCms.applyTransform(image, transform, inPlace=True)
    except (OSError, ValueError, ImageCms.PyCMSError):
        return rgb, AS_STORED, (UNUSABLE,)
    return np.asarray(image), "converted to sRGB by the ICC profile of the file", ()


def _holder(view: DicomJson) -> DicomJson | None:
    return next((each for each in (view, _optical_path(view)) if element(each, KEYWORD)), None)


def _optical_path(view: DicomJson) -> DicomJson:
    """That of the frame, by its identifier; the only one where there is one."""
    paths = items(view, "OpticalPathSequence")
    if len(paths) == 1:
        return paths[0]
    group = items(view, "OpticalPathIdentificationSequence")
    wanted = text(group[0] if group else view, "OpticalPathIdentifier")
    return next((path for path in paths if wanted and text(path, "OpticalPathIdentifier") == wanted), {})
