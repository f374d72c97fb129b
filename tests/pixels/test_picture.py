import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.pixels.media import from_media
from dicomweb_mcp.pixels.picture import MOST_BYTES, encode
from dicomweb_mcp.pixels.problems import TooLarge, Undecodable


def opened(picture):
    image = Image.open(BytesIO(picture.data))
    assert image.size == (picture.width, picture.height)
    assert Image.MIME[image.format] == picture.mime_type
    return image


def noise(rows, columns, colour=False):
    shape = (rows, columns, 3) if colour else (rows, columns)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def gradient(rows, columns):
    return np.tile(np.linspace(0, 255, columns).astype(np.uint8), (rows, 1))


@pytest.mark.parametrize("pixels", [noise(300, 400), noise(300, 400, colour=True)])
def test_a_picture_that_fits_is_kept_exactly(pixels):
    picture = encode(pixels)
    assert (picture.mime_type, picture.steps) == ("image/png", ())
    np.testing.assert_array_equal(np.asarray(opened(picture)), pixels)


@pytest.mark.parametrize(
    ("rows", "columns", "size", "expected"),
    [(3000, 2000, 1024, (683, 1024)), (2000, 3000, 512, (512, 341)), (1025, 100, 1024, (100, 1024))],
)
def test_the_long_edge_is_at_most_size(rows, columns, size, expected):
    picture = encode(gradient(rows, columns), size=size)
    assert opened(picture).size == expected
    assert picture.steps == (f"shrunk from {columns} x {rows} pixels",)


def test_shrinking_averages():
    checks = np.kron([[0, 255], [255, 0]], np.ones((1, 1))).astype(np.uint8)
    shown = np.asarray(opened(encode(np.tile(checks, (512, 512)), size=256)))
    assert 120 < shown.mean() < 136
    assert shown.std() < 12


def test_labels_are_not_mixed():
    labels = np.zeros((1000, 1000), np.uint8)
    labels[:, 333:] = 200
    shown = np.asarray(opened(encode(labels, size=300, smooth=False)))
    assert set(np.unique(shown)) == {0, 200}


@pytest.mark.parametrize(("edge", "factor"), [(10, 26), (64, 4), (128, 2), (255, 2), (256, 1)])
def test_a_small_picture_grows_by_a_whole_factor(edge, factor):
    pixels = noise(edge, edge // 2)
    picture = encode(pixels)
    np.testing.assert_array_equal(np.asarray(opened(picture)), np.kron(pixels, np.ones((factor, factor), np.uint8)))
    said = f"enlarged {factor} times from {edge // 2} x {edge} pixels, nearest neighbour"
    assert picture.steps == ((said,) if factor > 1 else ())


def test_growing_stays_within_size():
    assert opened(encode(noise(60, 60), size=200)).size == (180, 180)


@pytest.mark.parametrize("pixel_height", [0.0, float("inf"), float("nan"), 1e-300, 1e300])
def test_pixels_of_an_impossible_shape_are_left_as_they_are(pixel_height):
    picture = encode(noise(300, 300), pixel_height=pixel_height)
    assert opened(picture).size == (300, 300)
    assert "implausible" in picture.steps[0]


@pytest.mark.parametrize(
    ("pixel_height", "expected"), [(2.0, (300, 800)), (0.5, (600, 400)), (1.003, (300, 400)), (25.0, (300, 400))]
)
def test_pixels_become_square(pixel_height, expected):
    picture = encode(gradient(400, 300), pixel_height=pixel_height)
    assert opened(picture).size == expected
    assert bool(picture.steps) == (pixel_height != 1.003)


def test_stretched_and_shrunk_at_once():
    assert opened(encode(gradient(1000, 300), pixel_height=2.0, size=1000)).size == (150, 1000)


def test_stretched_small_pictures_keep_their_pixels_visible():
    picture = encode(np.array([[0, 255], [255, 0]], np.uint8), pixel_height=1.5)
    assert opened(picture).size == (172, 258)
    assert {0, 255} <= set(np.unique(np.asarray(opened(picture))))
    assert len(picture.steps) == 2


def test_auto_turns_to_jpeg_where_png_is_too_large():
    picture = encode((gradient(1200, 1200) * 0.8 + noise(1200, 1200) / 5.5).astype(np.uint8), size=1200)
    assert picture.mime_type == "image/jpeg"
    assert "PNG would take" in picture.steps[0]
    assert len(picture.data) <= MOST_BYTES


def test_quality_gives_way_before_size():
    picture = encode(noise(900, 900, colour=True), format="jpeg")
    assert opened(picture).size == (900, 900) or "reduced to" in picture.steps[-1]
    assert any("quality lowered" in step for step in picture.steps)
    assert len(picture.data) <= MOST_BYTES


@pytest.mark.parametrize("format", ["png", "jpeg", "auto"])
def test_the_budget_holds_for_the_worst_picture(format):
    picture = encode(noise(1568, 1568, colour=True), size=1568, format=format)
    assert len(picture.data) <= MOST_BYTES
    assert opened(picture).size[0] > 400
    assert "reduced to" in picture.steps[-1]
    assert picture.mime_type == ("image/png" if format == "png" else "image/jpeg")


@pytest.mark.parametrize("colour", [False, True])
def test_a_tile_of_a_sheet_is_exact_and_of_any_number_of_bytes(colour):
    pixels = noise(1501, 1207, colour)
    picture = encode(pixels, size=1568, for_sheet=True)
    assert np.array_equal(np.asarray(opened(picture)), pixels)
    assert len(picture.data) > MOST_BYTES
    assert picture.steps == ()


@pytest.mark.parametrize(
    ("name", "most"), [("CT_small.dcm", 1.03), ("MR_small.dcm", 1.03), ("examples_rgb_color.dcm", 1.1)]
)
def test_a_png_is_about_as_small_as_pillow_makes_it(name, most):
    """Grey ones are packed in another way, colour would grow by half then."""
    pixels = pixel_array(get_testdata_file(name)).astype(float)
    pixels = (255 * (pixels - pixels.min()) / np.ptp(pixels)).astype(np.uint8)
    picture, usual = encode(pixels, size=1568, format="png"), BytesIO()
    opened(picture).save(usual, "PNG")
    assert len(picture.data) <= most * len(usual.getvalue())


def test_a_png_that_is_nearly_within_the_budget_is_packed_better():
    pixels = np.random.default_rng(1).integers(0, 4, (900, 900, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    assert len(buffer.getvalue()) > MOST_BYTES
    picture = encode(pixels, size=1568)
    assert picture.mime_type == "image/png"
    assert np.array_equal(np.asarray(opened(picture)), pixels)


def test_a_jpeg_is_what_was_asked_for():
    assert encode(gradient(300, 300), format="jpeg").mime_type == "image/jpeg"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"size": 1569}, "64 to 1568"), ({"size": 63}, "64 to 1568"), ({"format": "gif"}, "auto, png, jpeg")],
)
def test_other_sizes_and_formats_are_refused(options, message):
    with pytest.raises(BadArgument, match=message):
        encode(gradient(300, 300), **options)


def media(image, format="PNG"):
    buffer = BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def test_half_a_picture_is_refused():
    data = media(Image.fromarray(noise(600, 500)))
    with pytest.raises(Undecodable, match="damaged"):
        from_media(data[: len(data) // 2])


@pytest.mark.parametrize("data", [b"", b"<html>", b"GIF89a" + bytes(50), b"\x89PNG\r\n\x1a\n"])
def test_anything_else_is_no_picture(data):
    with pytest.raises(Undecodable, match="neither a PNG nor a JPEG"):
        from_media(data)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("edge", [10_001, 60_000])
def test_a_bomb_is_refused_by_its_header(edge):
    data = bytearray(media(Image.new("1", (8, 8))))
    data[16:24] = edge.to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(TooLarge, match="100 megapixels"):
        from_media(bytes(data))


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.new("L", (300, 300), 77), 77),
        (Image.new("RGB", (300, 300), (1, 2, 3)), [1, 2, 3]),
        (Image.new("1", (300, 300), 1), 255),
        (Image.fromarray(np.full((300, 300), 60000, np.uint16)), 233),
        (Image.new("RGBA", (300, 300), (200, 100, 50, 255)), [200, 100, 50]),
        (Image.new("RGBA", (300, 300), (200, 100, 50, 0)), [0, 0, 0]),
        (Image.new("P", (300, 300), 0), [0, 0, 0]),
    ],
)
def test_rendered_pictures_of_every_mode(image, expected):
    shown = np.asarray(opened(from_media(media(image))))
    assert shown[5, 5].tolist() == expected


def test_rendered_pictures_are_brought_within_the_budgets():
    picture = from_media(media(Image.fromarray(noise(2000, 2000, colour=True)), "JPEG"), size=1024)
    assert max(opened(picture).size) <= 1024
    assert len(picture.data) <= MOST_BYTES


@pytest.mark.parametrize(("shape", "size"), [((40, 64), 300), ((128, 128), 200), ((600, 500), 200)])
def test_a_picture_that_fills_has_the_size_asked_for(shape: tuple[int, int], size: int) -> None:
    """Every pixel in its place: a step from black to white in the middle stays there."""
    pixels = np.zeros(shape, np.uint8)
    pixels[:, shape[1] // 2 :] = 255
    shown = np.asarray(Image.open(BytesIO(encode(pixels, size=size, fill=True).data)))
    assert max(shown.shape) == size
    assert abs(shown.shape[0] / shown.shape[1] - shape[0] / shape[1]) < 0.01
    assert abs(int(np.argmax(shown[0] > 127)) - shown.shape[1] / 2) <= 1
