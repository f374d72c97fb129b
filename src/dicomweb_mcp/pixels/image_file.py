"""Picture files of people (JPEG, PNG, TIFF) -> the pixels of a DICOM instance.

A baseline JPEG stays as it is; everything else is decoded without loss. The way up that Exif tells is applied, because
viewers of DICOM do not look there; transparency and more than one page are refused, because DICOM cannot say them.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from io import BytesIO

import numpy as np
from PIL import ExifTags, Image, ImageOps

from ..dicom.making.content import Lossy, NotMade, Pixels
from . import codestream
from .compressed import RGB_IDS
from .description import MOST_PIXELS
from .problems import Undecodable

LONGEST_EDGE = 65_535  # Rows and Columns have 16 bits
MOST_PROFILE = 4 << 20
BASELINE_SYNTAX = "1.2.840.10008.1.2.4.50"
JPEG_METHOD = "ISO_10918_1"
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
LOSSY_TIFF = {"jpeg": JPEG_METHOD, "tiff_jpeg": JPEG_METHOD}
BITS_PER_SAMPLE, PHOTOMETRIC, COMPRESSION = 258, 262, 259
RESOLUTIONS = ("dpi", "aspect", "resolution", "jfif_density")  # Pillow's names, the first of them counts
MOST_ASPECT, LEAST_DIFFERENCE = 10.0, 0.01
SIDEWAYS = 5  # from this Exif orientation on, rows become columns
CONVERTED = {"1": "L", "P": "RGB", "YCbCr": "RGB"}  # modes of Pillow that DICOM has not, or not so widely
KINDS = {
    "JPEG": (b"\xff\xd8\xff",),
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
TURNED = "turned as its Exif orientation says, so it is stored uncompressed"
DECODED = "a JPEG that is not baseline, so it is stored uncompressed"
PLACED = "its Exif data say where it was taken, and stay in the JPEG stream"
SIXTEEN = "its colours have 16 bits a channel: save it with 8"
AFTER_SCAN = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


def kind_of(data: bytes) -> str | None:
    """JPEG, PNG or TIFF by the first bytes; None for anything else."""
    return next((kind for kind, starts in KINDS.items() if data.startswith(starts)), None)


def pixels_of(data: bytes) -> Pixels:
    """The picture in a file of one of the KINDS. Raises NotMade."""
    kind = kind_of(data)
    if kind is None:
        raise NotMade("it is no JPEG, PNG or TIFF")
    try:
        return _READERS[kind](data)
    except NotMade:
        raise
    except Image.DecompressionBombError:
        raise _too_large() from None
    except Undecodable as reason:
        raise NotMade(f"the {kind} is damaged: {reason}") from None
    except Exception:  # Pillow has no common error for what it meets in damaged files
        raise NotMade(f"the {kind} is cut off or damaged") from None


def _jpeg(data: bytes) -> Pixels:
    header = codestream.read(data)
    if header.family != "JPEG" or header.marker not in (BASELINE, EXTENDED, PROGRESSIVE) or header.precision != 8:
        raise NotMade("a JPEG that is neither baseline nor progressive with 8 bits a sample: save it as one of these")
    if header.components not in (1, 3):
        raise NotMade("its colours are CMYK, which DICOM does not have: save it as RGB")
    stream = data[: _end_of_jpeg(data)]  # cameras put more behind the picture
    image = _opened(stream, "JPEG")
    exif, aspect = image.getexif(), _aspect(image)
    upright = _orientation(image) == 1
    native = header.columns * header.rows * header.components
    lossy = Lossy(JPEG_METHOD, native / len(stream))
    image.load()
    profile = _profile(image)
    if header.marker != BASELINE or not upright:
        ImageOps.exif_transpose(image, in_place=True)
        return _native(image, aspect, lossy=lossy, profile=profile, notes=(DECODED if upright else TURNED,))
    return Pixels(
        rows=header.rows,
        columns=header.columns,
        photometric_interpretation=_photometric(header),
        bits=8,
        data=stream,
        aspect=aspect,
        transfer_syntax=BASELINE_SYNTAX,
        lossy=lossy,
        icc_profile=profile,
        notes=(PLACED,) if exif.get_ifd(ExifTags.IFD.GPSInfo) else (),
    )


def _photometric(header: codestream.Header) -> str:
    """PS3.5 8.2.1; coarser colours of any kind are called YBR_FULL_422."""
    if header.components == 1:
        return "MONOCHROME2"
    if header.component_ids in RGB_IDS or (header.adobe_transform == 0 and not header.has_jfif):
        return "RGB"
    return "YBR_FULL_422" if header.is_subsampled else "YBR_FULL"


def _end_of_jpeg(data: bytes) -> int:
    """Where the stream ends: behind its end marker (EOI), which thumbnails in its segments have too."""
    at = 2
    while True:
        found = AFTER_SCAN.match(data, at)
        if found is None:
            raise NotMade("the JPEG is cut off or damaged")
        at, marker = found.end(), data[found.end() - 1]
        if marker == 0xD9:
            return at
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2:
            raise NotMade("the JPEG is cut off or damaged")
        at += length
        if marker == 0xDA:
            after = AFTER_SCAN.search(data, at)
            if after is None:
                raise NotMade("the JPEG is cut off: its end marker is missing")
            at = after.start()


def _png(data: bytes) -> Pixels:
    image = _opened(data, "PNG")
    depth, colour = data[24], data[25]
    if depth == 16 and colour != 0:
        raise NotMade(SIXTEEN)
    image.load()
    aspect = _aspect(image)
    ImageOps.exif_transpose(image, in_place=True)
    return _native(image, aspect, profile=_profile(image))


def _tiff(data: bytes) -> Pixels:
    image = _opened(data, "TIFF")
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits = tags.get(BITS_PER_SAMPLE, (1,))
    if len(bits) > 1 and max(bits) > 8:
        raise NotMade(SIXTEEN)
    method = LOSSY_TIFF.get(str(image.info.get("compression")))
    is_white_zero = tags.get(PHOTOMETRIC) == 0 and image.mode.startswith("I;16")  # Pillow turns only those of 8 bits
    profile, aspect = _profile(image), _aspect(image)
    image.load()  # upright, too
    native = image.size[0] * image.size[1] * len(bits)
    return _native(
        image,
        aspect,
        profile=profile,
        lossy=Lossy(method, native / len(data)) if method else None,
        white_is_zero=is_white_zero,
    )


_READERS: dict[str, Callable[[bytes], Pixels]] = {"JPEG": _jpeg, "PNG": _png, "TIFF": _tiff}


def _opened(data: bytes, kind: str) -> Image.Image:
    """The picture by its header. Raises NotMade for one that is too large or has several pages."""
    try:
        image = Image.open(BytesIO(data), formats=(kind,))
    except Image.DecompressionBombError:
        raise
    except Exception:
        raise NotMade(f"the {kind} is damaged, or of a kind that is not read here") from None
    width, height = image.size
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_EDGE:
        raise _too_large()
    if kind != "JPEG" and getattr(image, "is_animated", False):
        raise NotMade("it has several pages or pictures: save each as a file of its own, they become one series")
    return image


def _too_large() -> NotMade:
    return NotMade(f"it has over {MOST_PIXELS // 1_000_000} megapixels, or an edge of over {LONGEST_EDGE:,}")


def _orientation(image: Image.Image) -> int:
    """Of Exif: 1 is upright, 2 to 8 are not."""
    found = image.getexif().get(ExifTags.Base.Orientation, 1)
    return int(found) if found in range(2, 9) else 1


def _aspect(image: Image.Image) -> tuple[int, int] | None:
    """Height and width of a pixel of the upright picture, as fax machines and scanners say it by two resolutions; None
    for a square one, and for nonsense."""
    found = next((image.info[name] for name in RESOLUTIONS if name in image.info), (1, 1))
    across, down = (float(value) for value in found)
    if not (across > 0 and down > 0 and MOST_ASPECT > across / down > 1 / MOST_ASPECT):
        return None
    height = Fraction(across / down).limit_denominator(1_000)
    if abs(height - 1) < LEAST_DIFFERENCE:
        return None
    pair = height.numerator, height.denominator
    return (pair[1], pair[0]) if _orientation(image) >= SIDEWAYS else pair


def _profile(image: Image.Image) -> bytes:
    """The ICC profile of RGB pixels; that of others is of no use in DICOM (PS3.3 C.11.15)."""
    profile = image.info.get("icc_profile")
    if not isinstance(profile, bytes) or not 128 < len(profile) <= MOST_PROFILE or profile[16:20] != b"RGB ":
        return b""
    return profile


def _native(
    image: Image.Image,
    aspect: tuple[int, int] | None,
    *,
    profile: bytes = b"",
    lossy: Lossy | None = None,
    notes: tuple[str, ...] = (),
    white_is_zero: bool = False,
) -> Pixels:
    plain = _plain(image)
    bits = 16 if plain.mode.startswith("I;16") else 8
    is_colour = plain.mode == "RGB"
    return Pixels(
        rows=plain.height,
        columns=plain.width,
        photometric_interpretation="RGB" if is_colour else "MONOCHROME1" if white_is_zero else "MONOCHROME2",
        bits=bits,
        aspect=aspect,
        data=_swapped(plain.tobytes()) if plain.mode == "I;16B" else plain.tobytes(),
        lossy=lossy,
        icc_profile=profile if is_colour else b"",
        notes=notes,
    )


def _plain(image: Image.Image) -> Image.Image:
    """Grey of 8 or 16 bits, or RGB of 8. Raises NotMade for what is transparent or of another kind."""
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = _opaque(image)
    if image.mode in ("L", "RGB", "I;16", "I;16B"):
        return image
    if image.mode in CONVERTED:
        return image.convert(CONVERTED[image.mode])
    raise NotMade(
        f"its pixels are of the kind {image.mode}, which is not stored here: save it as grey of 8 or 16 bits, or RGB"
    )


def _swapped(big_endian: bytes) -> bytes:
    return np.frombuffer(big_endian, ">u2").astype("<u2").tobytes()


def _opaque(image: Image.Image) -> Image.Image:
    """The picture without its alpha channel, where that hides nothing."""
    whole = image.convert("RGBA") if not image.mode.startswith("I") else None
    if whole is None or whole.getchannel("A").getextrema() != (255, 255):
        raise NotMade("parts of it are transparent, which DICOM cannot say: put it on a background first")
    return whole.convert("L" if image.mode in ("L", "LA", "1") else "RGB")
