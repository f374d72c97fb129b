"""Pictures that a server rendered (PNG, JPEG): their size by the header, and re-encoding within our budgets."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .description import MOST_PIXELS
from .picture import Picture, encode
from .problems import TooLarge, Undecodable
from .request import DEFAULT_SIZE

READABLE = ("PNG", "JPEG")


def from_media(
    data: bytes,
    size: int = DEFAULT_SIZE,
    format: str = "auto",
    *,
    native: tuple[int, int] | None = None,
    pixel_height: float = 1.0,
) -> Picture:
    """The same picture within the budgets. ``native`` is the frame's columns and rows: a picture of that shape has the
    frame's pixels, which are ``pixel_height`` high in widths, one of another shape was made square by the server.

    Raises Undecodable, TooLarge, BadArgument.
    """
    image = _opened(data)
    try:
        image.load()
    except (OSError, SyntaxError, ValueError) as reason:
        raise Undecodable(f"The rendered picture is damaged: {reason}.") from reason
    is_native = native is not None and _is_alike(image.size, native)
    return encode(_eight_bit(image), size=size, format=format, pixel_height=pixel_height if is_native else 1.0)


def _is_alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have the same shape, but for rounding to whole pixels."""
    (width, height), (columns, rows) = one, other
    return abs(width * rows - height * columns) <= max(columns, rows)


def _opened(data: bytes) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=READABLE)
    except Image.DecompressionBombError as reason:
        raise TooLarge(_too_large()) from reason
    except (OSError, SyntaxError, ValueError) as reason:
        raise Undecodable("The archive's picture is neither a PNG nor a JPEG.") from reason
    if image.size[0] * image.size[1] > MOST_PIXELS:
        raise TooLarge(_too_large())
    return image


def _too_large() -> str:
    return f"The rendered picture has over {MOST_PIXELS // 1_000_000} megapixels. Ask for a smaller viewport."


def _eight_bit(image: Image.Image) -> NDArray[np.uint8]:
    """Grey or RGB; what is transparent becomes black."""
    if image.mode in ("L", "RGB"):
        return np.asarray(image)
    if image.mode.startswith("I"):
        grey = np.asarray(image).astype(np.float64) / 257
        return np.clip(np.floor(grey + 0.5), 0, 255).astype(np.uint8)
    if image.mode == "1":
        return np.asarray(image.convert("L"))
    if image.mode in ("LA", "RGBA", "PA") or "transparency" in image.info:
        visible = image.convert("RGBA")
        return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "black"), visible).convert("RGB"))
    if image.mode in ("P", "YCbCr"):
        return np.asarray(image.convert("RGB"))
    raise Undecodable(f"The rendered picture has the colour mode {image.mode}, which is not supported.")
