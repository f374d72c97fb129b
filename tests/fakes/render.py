"""Pictures by numpy and Pillow, for the servers that render: simple, not for measuring grey levels."""

from io import BytesIO

import numpy as np
from PIL import Image
from pydicom.pixels import apply_color_lut, pixel_array

from .store import Held


def grey_levels(pixels: np.ndarray, centre: float, width: float) -> np.ndarray:
    """The linear function of PS3.3 C.11.2.1.2."""
    scaled = (pixels - (centre - 0.5)) / max(width - 1, 1e-9) + 0.5
    return np.clip(scaled, 0, 1) * 255


def picture(held: Held, frame: int, window: tuple[float, float] | None = None) -> Image.Image:
    """A frame with the window asked for, else the file's first, else from its smallest to its largest value."""
    dataset = held.dataset
    pixels = pixel_array(dataset, index=frame - 1)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
    if pixels.ndim == 3:
        shift = 8 if pixels.dtype.itemsize > 1 else 0
        return Image.fromarray((pixels >> shift).astype(np.uint8), "RGB")
    values = pixels.astype(float) * float(dataset.get("RescaleSlope", 1)) + float(dataset.get("RescaleIntercept", 0))
    window = window or _own_window(held) or _whole_range(values)
    grey = grey_levels(values, *window)
    if dataset.PhotometricInterpretation == "MONOCHROME1":
        grey = 255 - grey
    return Image.fromarray(grey.round().astype(np.uint8), "L")


def _own_window(held: Held) -> tuple[float, float] | None:
    centre, width = held.text("00281050"), held.text("00281051")
    return (float(centre), float(width)) if centre and width else None


def _whole_range(values: np.ndarray) -> tuple[float, float]:
    low, high = values.min(), values.max()
    return (low + high + 1) / 2, high - low + 1


def fitted(image: Image.Image, size: tuple[int, int] | None, sampling: int = Image.Resampling.BILINEAR) -> Image.Image:
    """The largest picture of the same shape that fits into width and height; nothing is padded."""
    if size is None:
        return image
    scale = min(size[0] / image.width, size[1] / image.height)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), sampling)


def written(image: Image.Image, media_type: str, quality: int = 90) -> bytes:
    body = BytesIO()
    if media_type == "image/jpeg":
        image.save(body, "JPEG", quality=quality)
    else:
        image.save(body, media_type.removeprefix("image/").upper())
    return body.getvalue()
