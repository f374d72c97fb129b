"""How long uncompressed pixels are (PS3.5 8.1.1)."""

from .functional_groups import frame_count
from .values import DicomJson, integer, text

FLOATING = {0x7FE00008: 32, 0x7FE00009: 64}
"""Float Pixel Data, Double Float Pixel Data -> their bits, which BitsAllocated need not tell."""


def frame_bits(rows: int, columns: int, samples: int, bits_allocated: int, photometric: str) -> int:
    """Bits of one frame. Two pixels of YBR_FULL_422 share their colour (PS3.3 C.7.6.3.1.2)."""
    return rows * columns * (2 if photometric == "YBR_FULL_422" else samples) * bits_allocated


def value_bytes(obj: DicomJson, bits_allocated: int = 0) -> int:
    """Bytes of all frames, which follow each other without padding; 0 where the attributes do not tell. Without the
    byte that makes the value even."""
    rows, columns, samples = (integer(obj, keyword) or 0 for keyword in ("Rows", "Columns", "SamplesPerPixel"))
    allocated = bits_allocated or integer(obj, "BitsAllocated") or 0
    bits = frame_bits(rows, columns, samples or 1, allocated, text(obj, "PhotometricInterpretation"))
    return max(0, bits * frame_count(obj) + 7) // 8
