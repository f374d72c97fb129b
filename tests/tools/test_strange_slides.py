"""Slides that are odd but legal, or nearly: each pixel of a picture is held against what the files store there."""

import base64
import io
import re
from typing import Any

import numpy as np
import pydicom
import pytest
from mcp.types import CallToolResult
from numpy.typing import NDArray
from PIL import Image, ImageCms

from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import Store
from segmentations import make
from tools.reading import call, image_of, refusal, text_of

pytestmark = pytest.mark.anyio

SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
STUDY, SERIES = "1.2.3.1", "1.2.3.2"
TILE = 16
Pixels = NDArray[Any]


def matrix(columns: int, rows: int, seed: int) -> Pixels:
    """Colours that tell where a pixel lies and in which of the images."""
    y, x = np.mgrid[0:rows, 0:columns]
    return np.stack([x % 251, y % 241, np.full_like(x, seed)], axis=-1).astype(np.uint8)


def cut(whole: Pixels, x: int, y: int) -> Pixels:
    """The tile at a place; beyond the matrix it is black."""
    padded = np.zeros((TILE, TILE, *whole.shape[2:]), whole.dtype)
    part = whole[y : y + TILE, x : x + TILE]
    padded[: part.shape[0], : part.shape[1]] = part
    return padded


def full(whole: Pixels) -> list[Pixels]:
    return [cut(whole, x, y) for y in range(0, whole.shape[0], TILE) for x in range(0, whole.shape[1], TILE)]


def image(number: int, size: tuple[int, int], tiles: list[Pixels], **more: Any) -> pydicom.Dataset:
    """A slide image, TILED_FULL unless ``positions`` (x and y from 0, and maybe z in um and a path) are given."""
    positions, paths = more.pop("positions", None), more.pop("paths", ("0",))
    kind, spacing = more.pop("kind", "VOLUME"), more.pop("spacing", [0.0005, 0.0005])
    is_colour, bits = tiles[0].ndim == 3, tiles[0].dtype.itemsize * 8
    values = {
        "SOPClassUID": SLIDE_CLASS, "SOPInstanceUID": f"1.2.3.4.{number}", "StudyInstanceUID": STUDY,
        "SeriesInstanceUID": SERIES, "Modality": "SM", "PatientID": "P", "StudyDate": "20200101",
        "ImageType": ["ORIGINAL", "PRIMARY", kind, "NONE"], "FrameOfReferenceUID": "1.2.3.9", "InstanceNumber": number,
        "DimensionOrganizationType": "TILED_FULL" if positions is None else "TILED_SPARSE",
        "SamplesPerPixel": 3 if is_colour else 1, "PhotometricInterpretation": "RGB" if is_colour else "MONOCHROME2",
        "PlanarConfiguration": 0 if is_colour else None, "BitsAllocated": bits, "BitsStored": bits, "HighBit": bits - 1,
        "PixelRepresentation": 0, "Rows": TILE, "Columns": TILE, "NumberOfFrames": len(tiles),
        "TotalPixelMatrixColumns": size[0], "TotalPixelMatrixRows": size[1], "ContainerIdentifier": "S-1",
        "LossyImageCompression": "00",
        "OpticalPathSequence": [make(OpticalPathIdentifier=path) for path in paths],
        "SharedFunctionalGroupsSequence": [make(PixelMeasuresSequence=[make(PixelSpacing=spacing)])],
        "PixelData": b"".join(tile.tobytes() for tile in tiles),
    } | more  # fmt: skip
    if positions is not None:
        values.setdefault("PerFrameFunctionalGroupsSequence", [group(*one) for one in positions])
    one = make(**{name: value for name, value in values.items() if value is not None})
    one["PixelData"].VR = "OB" if bits == 8 else "OW"
    one.file_meta = pydicom.dataset.FileMetaDataset()
    one.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    one.file_meta.MediaStorageSOPClassUID, one.file_meta.MediaStorageSOPInstanceUID = SLIDE_CLASS, one.SOPInstanceUID
    return one


def group(x: int, y: int, z: float | None = None, path: str | None = None) -> pydicom.Dataset:
    place = make(ColumnPositionInTotalImagePixelMatrix=x + 1, RowPositionInTotalImagePixelMatrix=y + 1)
    if z is not None:
        place.ZOffsetInSlideCoordinateSystem = z
    found = make(PlanePositionSlideSequence=[place])
    if path is not None:
        found.OpticalPathIdentificationSequence = [make(OpticalPathIdentifier=path)]
    return found


def pixels(result: CallToolResult) -> Pixels:
    assert not result.is_error, text_of(result)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image_of(result).data))))


async def region(client: Any, **arguments: Any) -> tuple[Pixels, str]:
    result = await call(client, "render_region", series_uid=SERIES, format="png", **arguments)
    return pixels(result), text_of(result)


async def test_tiles_that_overlap_count_once_in_a_picture_that_is_shrunk(connect: Any) -> None:
    whole = matrix(160, 160, 7)
    places = [(x, y) for y in range(0, 150, 12) for x in range(0, 150, 12)]
    overlapping = image(1, (160, 160), [cut(whole, x, y) for x, y in places], positions=places)
    shrunk = []
    for one in (overlapping, image(1, (160, 160), full(whole))):
        async with connect(pacs=(Dcm4chee(Store(one)), "dcm4chee")) as client:
            shrunk.append((await region(client, whole=True, size=64))[0])
    inside = np.s_[:59, :59]  # beyond it the last tiles are padding
    assert np.array_equal(shrunk[0][inside], shrunk[1][inside])


async def test_the_usual_focal_plane_is_one_on_which_the_optical_path_has_frames(connect: Any) -> None:
    one, two, three = (matrix(32, 32, seed) for seed in (1, 2, 3))
    places = [(x, y) for y in (0, 16) for x in (0, 16)]
    positions = [(*place, z, path) for z, path in ((0.0, "A"), (2.0, "A"), (0.0, "B")) for place in places]
    slide = image(1, (32, 32), [*full(one), *full(two), *full(three)], positions=positions, paths=("A", "B"))
    async with connect(pacs=(Dcm4chee(Store(slide)), "dcm4chee")) as client:
        assert np.array_equal((await region(client, whole=True, optical_path="B"))[0], three)
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True, optical_path="B", focal_plane=2)
        assert "Not on any level: focal plane 2 with optical path B." in says
        assert np.array_equal((await region(client, whole=True, focal_plane=2))[0], two)


async def test_the_colour_profile_is_that_of_the_image_with_the_optical_path(connect: Any) -> None:
    whole = matrix(32, 32, 1)
    plain, profiled = image(1, (32, 32), full(whole), paths=("A",)), image(2, (32, 32), full(whole), paths=("B",))
    profiled.OpticalPathSequence[0].ICCProfile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    async with connect(pacs=(Dcm4chee(Store(plain, profiled)), "dcm4chee")) as client:
        _, says = await region(client, whole=True, optical_path="B")
    assert "colours as stored" not in says


@pytest.mark.parametrize(
    ("offsets", "there"),
    [((0, 3, 6), (3, 1, 2)), ((None, None, None), (3, 1, 2)), ((None, 3, None), (3, 1, 2)), ((0, None, 6), (3, 2, 1)),
     ((0, 3, 6), (3, 1)), ((None, None, None), (3, 1)), ((None, None, None), (3, 2)), ((None, 3, None), (3, 2))],
)  # fmt: skip
async def test_no_part_of_a_concatenation_stands_in_for_another(
    connect: Any, offsets: tuple[int | None, ...], there: tuple[int, ...]
) -> None:
    whole = matrix(45, 37, 1)
    tiles = full(whole)
    parts = [
        image(10 - part, (45, 37), tiles[3 * part - 3 : 3 * part], ConcatenationUID="1.2.9", InConcatenationNumber=part,
              InConcatenationTotalNumber=3, ConcatenationFrameOffsetNumber=offsets[part - 1])
        for part in there
    ]  # fmt: skip
    async with connect(pacs=(Dcm4chee(Store(*parts)), "dcm4chee")) as client:
        result = await call(client, "render_region", series_uid=SERIES, format="png", whole=True)
    if result.is_error:
        return
    shown = pixels(result)
    for line in range(3):
        rows = np.s_[16 * line : 16 * line + 16]
        known = line + 1 in there and (offsets[line] is not None or set(range(1, line + 1)) <= set(there)
                                       or (line == 2 and 2 in there and offsets[1] is not None))  # fmt: skip
        truth = whole[rows] if known else np.full_like(whole[rows], 255)
        assert np.array_equal(shown[rows], truth), line


@pytest.mark.parametrize(("making", "kind"), [(Google, "google"), (Dcm4chee, "dcm4chee")])
@pytest.mark.parametrize("organization", ["TILED_SPARSE", None])
async def test_a_single_tile_lies_where_its_group_says(
    connect: Any, making: Any, kind: str, organization: str | None
) -> None:
    tile = matrix(TILE, TILE, 1)
    one = image(1, (30, 30), [tile], positions=[(14, 13)], DimensionOrganizationType=organization)
    truth = np.full((30, 30, 3), 255, np.uint8)
    truth[13:29, 14:30] = tile
    async with connect(pacs=(making(Store(one)), kind)) as client:
        assert np.array_equal((await region(client, whole=True))[0], truth)


async def test_the_box_in_mm_of_an_answer_gives_the_same_box(connect: Any) -> None:
    tile = matrix(TILE, TILE, 1)
    places = [(46_912, 31_024), (46_896, 31_024), (46_912, 31_008)]  # micrometres of 23 mm are eight digits
    slide = image(1, (50_000, 40_000), [tile] * 3, positions=places, spacing=[0.0004987, 0.0004987])
    async with connect(pacs=(Dcm4chee(Store(slide)), "dcm4chee")) as client:
        first, says = await region(client, x=46_905, y=31_017, width=17, height=19)
        found = re.search(r"box in mm: x (\S+), y (\S+), (\S+) x (\S+)", says)
        assert found
        x, y, width, height = map(float, found.groups())
        again, _ = await region(client, x=x, y=y, width=width, height=height, unit="mm")
    assert np.array_equal(first, again)


async def test_two_slides_in_one_series_are_not_mixed(connect: Any) -> None:
    fine, foreign = matrix(90, 74, 1), matrix(45, 37, 2)
    own = image(1, (90, 74), full(fine))
    other = image(2, (45, 37), full(foreign), ContainerIdentifier="S-2")
    thumbnail = image(3, (9, 7), [foreign[:TILE, :TILE]], ContainerIdentifier="S-2", kind="THUMBNAIL",
                      spacing=[0.005, 0.005])  # fmt: skip
    async with connect(pacs=(Dcm4chee(Store(own, other, thumbnail)), "dcm4chee")) as client:
        shown, says = await region(client, whole=True, um_per_px=1)
        await refusal(client, "render_region", series_uid=SERIES, whole=True, level=1)
    assert (shown[..., 2] == 1).all()
    assert "container than the largest are left out" in says


async def test_the_position_of_a_single_tile_may_be_a_shared_one(connect: Any) -> None:
    tile = matrix(TILE, TILE, 1)
    one = image(1, (30, 30), [tile], positions=[], PerFrameFunctionalGroupsSequence=[pydicom.Dataset()])
    one.SharedFunctionalGroupsSequence[0].PlanePositionSlideSequence = group(14, 13).PlanePositionSlideSequence
    async with connect(pacs=(Dcm4chee(Store(one)), "dcm4chee")) as client:
        shown, _ = await region(client, whole=True)
    assert np.array_equal(shown[13:29, 14:30], tile)


async def test_a_level_without_any_position_is_refused(connect: Any) -> None:
    nowhere = [pydicom.Dataset() for _ in range(4)]
    one = image(1, (32, 32), full(matrix(32, 32, 1)), positions=[], PerFrameFunctionalGroupsSequence=nowhere)
    async with connect(pacs=(Dcm4chee(Store(one)), "dcm4chee")) as client:
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True)
        described = text_of(await call(client, "describe_slide", series_uid=SERIES, tissue=True))
    assert "no frame of level 0 has a position" in says
    assert "Tissue was not looked for" in described


async def test_an_optical_path_that_all_frames_share_is_the_one_named(connect: Any) -> None:
    whole = matrix(32, 32, 1)
    places = [(x, y) for y in (0, 16) for x in (0, 16)]
    one = image(1, (32, 32), full(whole), positions=places, paths=("A", "B"))
    named = [make(OpticalPathIdentifier="B")]
    one.SharedFunctionalGroupsSequence[0].OpticalPathIdentificationSequence = named
    async with connect(pacs=(Dcm4chee(Store(one)), "dcm4chee")) as client:
        assert np.array_equal((await region(client, whole=True, optical_path="B"))[0], whole)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
async def test_tiles_of_different_kinds_make_no_picture_together(connect: Any, dtype: Any) -> None:
    grey = matrix(45, 37, 1)[..., 0]
    first = full(grey.astype(np.uint8)) if dtype == np.uint16 else full(matrix(45, 37, 1))
    gapped, other = image(1, (45, 37), first[:6]), image(2, (45, 37), full(grey.astype(dtype)))
    async with connect(pacs=(Dcm4chee(Store(gapped, other)), "dcm4chee")) as client:
        says = await refusal(client, "render_region", series_uid=SERIES, whole=True)
    assert "has tiles of several kinds" in says


async def test_frames_off_the_grid_are_found_beside_an_image_on_it(connect: Any) -> None:
    """Two files of one size: all tiles of path A, and some of path B that lie anywhere."""
    a, b = matrix(48, 48, 1), matrix(48, 48, 2)
    places = [(3, 5), (19, 5), (3, 27)]
    whole = image(1, (48, 48), full(a), paths=("A",))
    loose = image(2, (48, 48), [cut(b, *place) for place in places], paths=("B",),
                  positions=[(*place, None, "B") for place in places])  # fmt: skip
    expected = np.full_like(b, 255)
    for x, y in places:
        expected[y : y + TILE, x : x + TILE] = b[y : y + TILE, x : x + TILE]
    asked = {"series_uid": SERIES, "whole": True, "format": "png"}
    async with connect(pacs=(Google(Store(whole, loose)), "google")) as client:
        found = [pixels(await call(client, "render_region", **asked, optical_path=path)) for path in ("A", "B")]
    assert (found[0] == a).all()
    assert (found[1] == expected).all()
