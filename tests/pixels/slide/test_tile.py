"""Tiles of every kind; real slides put together here by hand from pydicom's frames, and by wsidicom."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from pydicom.pixels import pixel_array

from dicomweb_mcp.pixels.problems import TooLarge, Undecodable
from dicomweb_mcp.pixels.render import render_frame
from dicomweb_mcp.pixels.slide.assemble import Assembly
from dicomweb_mcp.pixels.slide.tile import TileReader
from dicomweb_mcp.pixels.slide.tissue import find_tissue

LITTLE = "1.2.840.10008.1.2.1"
NAMED = os.environ.get("DICOMWEB_MCP_TEST_DATA")
MORE = Path(NAMED) if NAMED else None
SLIDES = sorted(path for folder in ("wsi_camelyon_jpeg", "slide-bone") for path in (MORE / folder).glob("*.dcm")) if MORE else []  # fmt: skip
NO_SLIDES = pytest.mark.skipif(not SLIDES, reason="DICOMWEB_MCP_TEST_DATA names no folder with slides")


@pytest.fixture(params=SLIDES, ids=lambda path: f"{path.parent.name}-{path.name}")
def slide(request, load_image):
    return load_image(request.param)


def tiles_of(image):
    """(column, row) -> stored bytes, in the order of TILED_FULL."""
    across = -(-image.dataset.TotalPixelMatrixColumns // image.dataset.Columns)
    return {(nth % across, nth // across): image.frame(nth) for nth in range(int(image.dataset.NumberOfFrames))}


def assembled(image, region, reader=None):
    reader = reader or TileReader(image.obj, image.transfer_syntax)
    dataset = image.dataset
    matrix = (dataset.TotalPixelMatrixColumns, dataset.TotalPixelMatrixRows)
    assembly = Assembly(
        region, matrix=matrix, tile=(dataset.Columns, dataset.Rows), samples=reader.samples, dtype=reader.dtype,
        background=reader.background,
    )  # fmt: skip
    tiles = tiles_of(image)
    with ThreadPoolExecutor(4) as threads:
        for (column, row), tile in zip(tiles, threads.map(reader.read, tiles.values()), strict=True):
            assembly.put(column, row, tile.pixels)
    return assembly.result()


def whole(image):
    return (0, 0, image.dataset.TotalPixelMatrixColumns, image.dataset.TotalPixelMatrixRows)


@NO_SLIDES
def test_a_real_slide_is_what_pydicom_decodes(slide):
    dataset, region = slide.dataset, whole(slide)
    rows, columns = dataset.Rows, dataset.Columns
    across, down = -(-region[2] // columns), -(-region[3] // rows)
    truth = np.zeros((down * rows, across * columns, 3), np.uint8)
    for nth in range(int(dataset.NumberOfFrames)):
        top, left = nth // across * rows, nth % across * columns
        truth[top : top + rows, left : left + columns] = pixel_array(dataset, index=nth)
    found = assembled(slide, region)
    apart = np.abs(found.pixels.astype(int) - truth[: region[3], : region[2]])
    is_jpeg = slide.transfer_syntax.endswith(".4.50")  # its decoder rounds a few greens to the other side
    assert apart.max() <= is_jpeg
    assert np.count_nonzero(apart) <= 1e-5 * apart.size
    assert found.missing == 0


@NO_SLIDES
def test_a_real_slide_is_what_wsidicom_reads():
    wsidicom = pytest.importorskip("wsidicom")
    from .. import conftest

    files = sorted((MORE / "wsi_camelyon_jpeg").glob("*.dcm"))
    images = sorted(map(conftest.load, files), key=lambda image: -image.dataset.TotalPixelMatrixColumns)
    with wsidicom.WsiDicom.open(files) as slide:
        for level, image in zip(slide.levels, images, strict=True):
            _, _, width, height = whole(image)
            for box in [
                (0, 0, width, height),
                (width // 3, height // 3, width // 2, height // 2),
                (width - 9, height - 7, 9, 7),
            ]:
                truth = slide.read_region(box[:2], level.level, box[2:])
                np.testing.assert_array_equal(assembled(image, box).pixels, np.asarray(truth))


@NO_SLIDES
def test_the_four_pieces_of_a_real_slide(load_image):
    """Two long sections and two thin ones, twice the same: as seen by eye on the level of 288 x 175."""
    image = load_image(MORE / "wsi_camelyon_jpeg" / "288x175.dcm")
    found = find_tissue(assembled(image, whole(image)).pixels).pieces[:4]
    seen = [(20, 15, 44, 138), (162, 19, 45, 137), (85, 25, 45, 97), (228, 28, 42, 97)]
    for x, y, width, height in seen:
        middle = x + width / 2, y + height / 2
        boxes = [
            box for box in (piece.box for piece in found)
            if box[0] < middle[0] < box[0] + box[2] and box[1] < middle[1] < box[1] + box[3]
        ]  # fmt: skip
        assert len(boxes) == 1
        assert width * height * 0.8 < boxes[0][2] * boxes[0][3] < width * height * 1.6


@pytest.mark.parametrize("declared", ["YBR_FULL_422", "YBR_FULL", "RGB"])
@pytest.mark.parametrize("space", ["YCBCR", "RGB"])
def test_jpeg_tiles_have_the_colours_of_a_picture(make, declared, space):
    """The short way through the decoder gives what the long way gives, which is held against pydicom elsewhere."""
    import imagecodecs

    pixels = np.random.default_rng(4).integers(0, 256, (48, 64, 3), np.uint8)
    frame = imagecodecs.jpeg8_encode(pixels, 95, colorspace="RGB", outcolorspace=space)
    obj = make(
        Rows=48, Columns=64, SamplesPerPixel=3, PhotometricInterpretation=declared, BitsAllocated=8, BitsStored=8,
        PlanarConfiguration=0,
    )  # fmt: skip
    syntax = "1.2.840.10008.1.2.4.50"
    tile = TileReader(obj, syntax).read(frame)
    rendered = render_frame(frame, obj, transfer_syntax=syntax, probe=[(x, y) for x in (0, 31, 63) for y in (0, 47)])
    for sample in rendered.samples:
        assert tile.pixels[sample.y, sample.x].tolist() == pytest.approx(sample.values, abs=1)
    assert tile.notes == rendered.notes


def test_grey_of_16_bits_is_kept_as_stored(make):
    values = np.arange(16, dtype="<u2") * 4000
    reader = TileReader(make(), LITTLE)
    tile = reader.read(values.tobytes()).pixels
    assert (tile.ravel() == values).all()
    assert (reader.samples, reader.dtype, reader.background) == (1, tile.dtype, 0)


@pytest.mark.parametrize(
    ("sign", "stored", "expected"), [(0, [0, 1, 4095], [4095, 4094, 0]), (1, [-2048, 0, 2047], [2047, -1, -2048])]
)
def test_low_values_are_dark(make, sign, stored, expected):
    values = np.array(stored * 4, "<i2").tobytes()
    obj = make(Rows=3, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11, PixelRepresentation=sign)
    reader = TileReader(obj, LITTLE)
    tile = reader.read(values).pixels
    assert tile.ravel()[:3].tolist() == expected
    assert tile.dtype == reader.dtype


def test_a_palette_is_read_once(make):
    """After the reader is made, the object may go."""
    tables = {
        f"{name}PaletteColorLookupTableData": {"vr": "OW", "InlineBinary": data}
        for name, data in (("Red", "AQI="), ("Green", "AwQ="), ("Blue", "BQY="))
    }
    descriptors = {f"{name}PaletteColorLookupTableDescriptor": [2, 0, 8] for name in ("Red", "Green", "Blue")}
    obj = make(
        Rows=1,
        Columns=2,
        PhotometricInterpretation="PALETTE COLOR",
        BitsAllocated=8,
        BitsStored=8,
        **tables,
        **descriptors,
    )
    reader = TileReader(obj, LITTLE)
    obj.clear()
    assert reader.read(b"\0\1").pixels.tolist() == [[[1, 3, 5], [2, 4, 6]]]
    assert (reader.samples, reader.background) == (3, 255)


@pytest.mark.parametrize(
    ("attributes", "error"),
    [
        ({"Rows": 50_000, "Columns": 50_000}, TooLarge),
        (
            {"BitsAllocated": 32, "BitsStored": None, "FloatPixelData": {"vr": "OF"}, "PixelRepresentation": None},
            Undecodable,
        ),
    ],
)
def test_what_are_no_tiles_is_refused(make, attributes, error):
    with pytest.raises(error):
        TileReader(make(**attributes), LITTLE)


def test_a_tile_of_another_size_is_refused(make):
    import imagecodecs

    obj = make(
        Rows=48, Columns=64, SamplesPerPixel=3, PhotometricInterpretation="RGB", BitsAllocated=8, BitsStored=8
    )  # fmt: skip
    frame = imagecodecs.jpeg8_encode(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(Undecodable, match="64 x 64"):
        TileReader(obj, "1.2.840.10008.1.2.4.50").read(frame)
