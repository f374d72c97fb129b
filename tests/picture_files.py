"""Picture files and a PDF, small and made here, for what is made of them."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from PIL import Image, ImageCms

ROWS, COLUMNS = 33, 47
_y, _x = np.mgrid[0:ROWS, 0:COLUMNS]
RGB = np.stack([_x * 5, _y * 7, (_x + _y) * 3], -1).astype(np.uint8)
GREY = (_x * 5).astype(np.uint8)
GREY_16 = (_x * 1_000 + _y).astype(np.uint16)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R/Size 4>>\nstartxref\n0\n%%EOF"
)


def encoded(pixels: Any, kind: str, **options: Any) -> bytes:
    """A file of an array or a picture of Pillow's."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


def png(columns: int, rows: int, depth: int, colour: int, raw: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of any kind, byte by byte; ``chunks`` stand before its pixels."""
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, 0)
    parts = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in parts
    )
