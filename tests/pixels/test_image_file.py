"""Picture files -> pixels, held against Pillow's own reading, and every kind that is refused."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dicomweb_mcp.dicom.making.content import NotMade, Pixels
from dicomweb_mcp.pixels.image_file import DECODED, PLACED, TURNED, kind_of, pixels_of
from picture_files import COLUMNS, GREY, GREY_16, PROFILE, RGB, ROWS, encoded, orientation, png

PICTURE = Image.fromarray(RGB)
MADE_OF = {
    "PNG": {"RGB": RGB, "grey": GREY, "grey of 16 bits": GREY_16, "palette": PICTURE.quantize(16),
            "bilevel": Image.fromarray(GREY).convert("1"), "opaque": PICTURE.convert("RGBA"),
            "opaque grey": Image.fromarray(GREY).convert("LA")},
    "TIFF": {"RGB": RGB, "grey": GREY, "grey of 16 bits": GREY_16, "palette": PICTURE.quantize(16),
             "bilevel": Image.fromarray(GREY).convert("1"), "opaque": PICTURE.convert("RGBA")},
}  # fmt: skip


def array(pixels: Pixels) -> np.ndarray:
    shape = (pixels.rows, pixels.columns, 3) if pixels.samples_per_pixel == 3 else (pixels.rows, pixels.columns)
    return np.frombuffer(pixels.data, f"<u{pixels.bits // 8}").reshape(shape)


def problem(data: bytes) -> str:
    with pytest.raises(NotMade) as raised:
        pixels_of(data)
    return str(raised.value)


@pytest.mark.parametrize(("kind", "what"), [(kind, what) for kind, all in MADE_OF.items() for what in all])
def test_pixels_are_those_that_pillow_reads(kind: str, what: str) -> None:
    data = encoded(MADE_OF[kind][what], kind)
    pixels = pixels_of(data)
    read: Any = Image.open(io.BytesIO(data))
    mode = {"RGB": "RGB", "palette": "RGB", "opaque": "RGB"}.get(what, "L")
    expected = np.asarray(read) if "16" in what else np.asarray(read.convert(mode))
    np.testing.assert_array_equal(array(pixels), expected)
    assert pixels.bits == (16 if "16" in what else 8)
    assert pixels.photometric_interpretation == ("RGB" if mode == "RGB" else "MONOCHROME2")
    assert (pixels.lossy, pixels.notes, pixels.is_compressed) == (None, (), False)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiffs(compression: str) -> None:
    np.testing.assert_array_equal(array(pixels_of(encoded(GREY_16, "TIFF", compression=compression))), GREY_16)


def test_big_endian_tiff() -> None:
    big = Image.frombytes("I;16B", (COLUMNS, ROWS), GREY_16.astype(">u2").tobytes())
    data = encoded(big, "TIFF")
    assert data.startswith(b"MM")
    np.testing.assert_array_equal(array(pixels_of(data)), GREY_16)


def test_a_tiff_whose_white_is_zero_says_so() -> None:
    pixels = pixels_of(encoded(GREY_16, "TIFF", tiffinfo={262: 0}))
    assert pixels.photometric_interpretation == "MONOCHROME1"
    np.testing.assert_array_equal(array(pixels), GREY_16)


def test_a_png_of_four_bits_is_spread_over_eight() -> None:
    assert array(pixels_of(png(2, 1, 4, 0, b"\0\x1f"))).tolist() == [[17, 255]]


@pytest.mark.parametrize(
    ("pixels", "options", "photometric"),
    [
        (RGB, {}, "YBR_FULL_422"),
        (RGB, {"subsampling": "4:2:2"}, "YBR_FULL_422"),
        (RGB, {"subsampling": "4:4:4"}, "YBR_FULL"),
        (RGB, {"keep_rgb": True}, "RGB"),
        (GREY, {}, "MONOCHROME2"),
        (GREY, {"restart_marker_blocks": 1}, "MONOCHROME2"),
    ],
)  # fmt: skip
def test_a_baseline_jpeg_stays_as_it_is(pixels: np.ndarray, options: dict[str, Any], photometric: str) -> None:
    data = encoded(pixels, "JPEG", **options)
    found = pixels_of(data)
    assert found.data == data
    assert found.transfer_syntax == "1.2.840.10008.1.2.4.50"
    assert (found.photometric_interpretation, found.rows, found.columns) == (photometric, ROWS, COLUMNS)
    assert found.lossy is not None
    assert (found.lossy.method, found.lossy.ratio) == ("ISO_10918_1", pixels.size / len(data))


def test_what_cameras_put_behind_the_picture_is_left_out() -> None:
    alone = encoded(RGB, "JPEG")
    assert pixels_of(alone + b"another picture \xff\xd8\xff\xd9").data == alone
    several = encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(90)])
    stream = pixels_of(several).data
    assert several.startswith(stream)
    assert len(stream) < len(several) - 500
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stream))), np.asarray(Image.open(io.BytesIO(alone))))


def test_an_end_marker_in_a_thumbnail_is_not_the_end() -> None:
    data = encoded(RGB, "JPEG", comment=b"\xff\xd8 a thumbnail \xff\xd9")
    assert pixels_of(data).data == data


def test_a_progressive_jpeg_is_decoded() -> None:
    data = encoded(RGB, "JPEG", progressive=True)
    found = pixels_of(data)
    np.testing.assert_array_equal(array(found), np.asarray(Image.open(io.BytesIO(data))))
    assert found.notes == (DECODED,)
    assert found.lossy is not None
    assert found.lossy.method == "ISO_10918_1"


def test_a_jpeg_within_a_tiff_was_lossy() -> None:
    data = encoded(RGB, "TIFF", compression="jpeg")
    found = pixels_of(data)
    np.testing.assert_array_equal(array(found), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    assert found.lossy is not None
    assert found.lossy.method == "ISO_10918_1"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_the_picture_stands_upright(kind: str) -> None:
    """Exif 6: the first row of the file is the right side of the picture (Exif 2.32, 4.6.4)."""
    lying = np.zeros((32, 64), np.uint8)
    lying[:16] = 255
    pixels = pixels_of(encoded(lying, kind, exif=orientation(6)))
    assert (pixels.rows, pixels.columns, pixels.transfer_syntax) == (64, 32, "1.2.840.10008.1.2.1")
    expected = np.zeros((64, 32), np.uint8)
    expected[:, 16:] = 255
    np.testing.assert_allclose(array(pixels).astype(int), expected, atol=3)
    assert pixels.notes == ((TURNED,) if kind == "JPEG" else ())
    assert (pixels.lossy is not None) == (kind == "JPEG")


def test_an_orientation_that_there_is_not_turns_nothing() -> None:
    assert pixels_of(encoded(RGB, "JPEG", exif=orientation(9))).is_compressed


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.parametrize(
    ("dpi", "turned", "expected"),
    [
        ((300, 300), 1, None),
        ((300, 299), 1, None),
        ((200, 100), 1, (2, 1)),
        ((100, 200), 1, (1, 2)),
        ((200, 100), 3, (2, 1)),
        ((200, 100), 6, (1, 2)),
        ((20_000, 100), 1, None),
    ],
)
def test_pixels_that_are_not_square(kind: str, dpi: Any, turned: int, expected: Any) -> None:
    """A fax of 200 dots an inch across and 100 down has pixels twice as high as wide."""
    data = encoded(GREY, kind, dpi=dpi, **({"exif": orientation(turned)} if turned > 1 else {}))
    assert pixels_of(data).aspect == expected


def test_a_place_in_exif_is_told() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    assert pixels_of(encoded(RGB, "JPEG", exif=exif)).notes == (PLACED,)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_a_colour_profile_is_kept_where_it_fits(kind: str) -> None:
    assert pixels_of(encoded(RGB, kind, icc_profile=PROFILE)).icc_profile == PROFILE
    assert pixels_of(encoded(GREY, kind, icc_profile=PROFILE)).samples_per_pixel == 1
    of_cmyk = PROFILE[:16] + b"CMYK" + PROFILE[20:]
    assert pixels_of(encoded(RGB, kind, icc_profile=of_cmyk)).icc_profile == b""


TRANSPARENT = PICTURE.convert("RGBA")
TRANSPARENT.putpixel((3, 4), (0, 0, 0, 254))
CUT = "cut off"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"GIF89a" + b"\0" * 50, "no JPEG, PNG or TIFF"),
        (encoded(PICTURE.convert("CMYK"), "JPEG"), "CMYK"),
        (encoded(PICTURE.convert("CMYK"), "TIFF"), "CMYK"),
        (encoded(PICTURE.convert("LAB"), "TIFF"), "LAB"),
        (encoded(GREY.astype(np.float32), "TIFF"), "of the kind F"),
        (encoded(GREY.astype(np.int32), "TIFF"), "of the kind I"),
        (encoded(TRANSPARENT, "PNG"), "transparent"),
        (encoded(TRANSPARENT, "TIFF"), "transparent"),
        (encoded(PICTURE.quantize(16), "PNG", transparency=0), "transparent"),
        (png(1, 1, 16, 0, b"\0\0\5", (b"tRNS", b"\0\5")), "transparent"),
        (png(1, 1, 16, 2, b"\0" + b"\1" * 6), "16 bits a channel"),
        (png(1, 1, 16, 4, b"\0" + b"\1" * 4), "16 bits a channel"),
        (encoded(PICTURE, "TIFF", save_all=True, append_images=[PICTURE]), "several pages"),
        (encoded(PICTURE, "PNG", save_all=True, append_images=[PICTURE.rotate(90)]), "several pages"),
        (png(60_000, 60_000, 8, 2, b"\0"), "100 megapixels"),
        (png(10_001, 10_001, 8, 0, b"\0"), "100 megapixels"),
        (png(70_000, 1, 8, 0, b"\0" * 70_001), "edge of over 65,535"),
        (encoded(RGB, "JPEG")[:-40], CUT),
        (encoded(RGB, "JPEG")[:300], CUT),
        (encoded(RGB, "JPEG")[:4], "damaged"),
        (encoded(RGB, "PNG", compress_level=0)[:-300], CUT),
        (encoded(RGB, "TIFF")[:-300], CUT),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "the PNG is damaged"),
        (b"II*\0" + b"\xff" * 100, "the TIFF is damaged"),
        (b"\xff\xd8\xff\xd9", "damaged"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning", "ignore::UserWarning:PIL.*")
def test_what_is_refused_and_why(data: bytes, says: str) -> None:
    assert says in problem(data)


def test_lossless_and_twelve_bit_jpegs_are_refused() -> None:
    baseline = bytearray(encoded(GREY, "JPEG"))
    at = baseline.index(b"\xff\xc0")
    for change, value in ((1, 0xC3), (4, 12), (1, 0xC9)):
        changed = bytearray(baseline)
        changed[at + change] = value
        assert "neither baseline nor progressive" in problem(bytes(changed))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")
def test_no_cut_file_is_taken_for_a_whole_one(kind: str) -> None:
    data = encoded(RGB, kind)
    whole = pixels_of(data)
    for length in range(9, len(data), 11):
        try:
            pixels = pixels_of(data[:length])
        except NotMade:
            continue
        assert (kind, pixels) == ("PNG", whole), "only what stands behind the pixels of a PNG may be missing"


def test_kinds_are_told_by_the_first_bytes() -> None:
    assert [kind_of(encoded(GREY, kind)) for kind in ("JPEG", "PNG", "TIFF")] == ["JPEG", "PNG", "TIFF"]
    assert kind_of(b"") is None
