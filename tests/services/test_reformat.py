"""Reformats of made volumes, held against their voxels sorted by where they lie in the patient."""

import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array

from dicomweb_mcp.archives.base import ArchiveError
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services import reformat
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.pictures import Shown
from dicomweb_mcp.services.preview import show_series
from dicomweb_mcp.services.samples import SeriesRequest
from dicomweb_mcp.settings import load
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import SHIPPED, Store
from support import app_over

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parent.parent / "data"
COLUMNS, ROWS, SLICES = 5, 7, 6
SPACING = 3.0  # mm from slice to slice; pixels have 1 mm
FIRST = np.array([-10.0, 20.0, 500.0])

SHOWN = {"axial": ("+x", "+y", "+z"), "coronal": ("+x", "-z", "+y"), "sagittal": ("+y", "-z", "-x")}
"""To the right of the picture, down, and from one picture to the next: the usual display, by hand."""
EDGES = {
    "axial": "left R, right L, top A, bottom P",
    "coronal": "left R, right L, top H, bottom F",
    "sagittal": "left A, right P, top H, bottom F",
}
NATIVE = {
    "axial": [(1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, -1, 0), (0, 1, 0, 1, 0, 0), (0, -1, 0, 1, 0, 0)],
    "coronal": [(1, 0, 0, 0, 0, -1), (-1, 0, 0, 0, 0, -1), (1, 0, 0, 0, 0, 1), (0, 0, 1, -1, 0, 0)],
    "sagittal": [(0, 1, 0, 0, 0, -1), (0, -1, 0, 0, 0, -1), (0, 1, 0, 0, 0, 1), (0, 0, -1, 0, -1, 0)],
}
CASES = [(plane, directions) for native, all_directions in NATIVE.items() for directions in all_directions
         for plane in SHOWN if plane != native]  # fmt: skip


def voxel(i: int, j: int, k: int) -> int:
    return i + COLUMNS * (j + ROWS * k)


def place(directions: Any, i: int, j: int, k: int, spacing: float = SPACING) -> NDArray[np.float64]:
    row, column = np.array(directions[:3], float), np.array(directions[3:], float)
    return FIRST + i * row + j * column + k * spacing * np.cross(row, column)


def volume(directions: Any = (1, 0, 0, 0, 1, 0), spacing: float = SPACING, **more: Any) -> list[pydicom.Dataset]:
    """Each voxel has a value of its own, 0 to 209; the numbers of the instances are shuffled."""
    made = []
    for k, number in enumerate(np.random.default_rng(5).permutation(SLICES)):
        one = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{number + 1}"
        one.InstanceNumber, one.Rows, one.Columns = int(number) + 1, ROWS, COLUMNS
        one.PixelSpacing, one.ImageOrientationPatient = [1, 1], list(directions)
        one.ImagePositionPatient = list(place(directions, 0, 0, k, spacing))
        one.RescaleSlope, one.RescaleIntercept = 1, 0
        one.PixelData = np.array(
            [[voxel(i, j, k) for i in range(COLUMNS)] for j in range(ROWS)], np.int16
        ).tobytes()  # fmt: skip
        for keyword, value in more.items():
            setattr(one, keyword, value)
        made.append(one)
    return made


def along(direction: str, where: NDArray[np.float64]) -> float:
    return float(where["xyz".index(direction[1])]) * (-1 if direction[0] == "-" else 1)


def truth(plane: str, directions: Any) -> list[tuple[float, NDArray[np.int64]]]:
    """The pictures of a plane, each with its position along its normal: the voxels sorted by where they lie."""
    right, down, through = SHOWN[plane]
    voxels = [(place(directions, i, j, k), voxel(i, j, k))
              for i in range(COLUMNS) for j in range(ROWS) for k in range(SLICES)]  # fmt: skip
    pictures = []
    for position in sorted({along(through, where) for where, _ in voxels}):
        inside = [(along(down, where), along(right, where), value) for where, value in voxels
                  if along(through, where) == position]  # fmt: skip
        rows = len({row for row, _, _ in inside})
        pictures.append((position, np.array([value for *_, value in sorted(inside)]).reshape(rows, -1)))
    return pictures


async def shown(
    images: list[pydicom.Dataset], plane: str, fake: Any = None, kind: str = "google", **more: Any
) -> Shown:
    request = {"windows": ("0..255",), "samples": 36, "format": "png", "size": 1568, **more}
    app = app_over({"pacs": (fake or Google(Store(*images)), kind)})
    asked = SeriesRequest(series_uid=images[0].SeriesInstanceUID, plane=plane, **request)  # type: ignore[arg-type]
    return await show_series(app, None, asked)


def sheet(found: Shown) -> NDArray[Any]:
    return np.asarray(Image.open(BytesIO(found.picture.data)))


def stands_in(picture: NDArray[Any], whole: NDArray[Any]) -> bool:
    height, width = picture.shape
    return any(
        np.array_equal(whole[y : y + height, x : x + width], picture)
        for y, x in np.argwhere(whole[: 1 - height or None, : 1 - width or None] == picture[0, 0])
    )


def enlarged(found: Shown) -> int:
    match = re.search(r"all enlarged (\d+) times", found.facts["tiles"])
    return int(match[1]) if match else 1


@pytest.mark.parametrize(("plane", "directions"), CASES)
async def test_voxels_stand_where_they_lie_in_the_patient(plane: str, directions: Any) -> None:
    found = await shown(volume(directions), plane)
    whole, factor = sheet(found), enlarged(found)
    down, across = (SPACING if abs(np.cross(directions[:3], directions[3:]))["xyz".index(side[1])] else 1.0
                    for side in (SHOWN[plane][1], SHOWN[plane][0]))  # fmt: skip
    expected = truth(plane, directions)
    lines = [said for name, said in found.facts.items() if name.startswith("row ")]
    assert len(lines) == len(expected)
    for number, (line, (position, values)) in enumerate(zip(lines, expected, strict=True), start=1):
        assert line.startswith(f"plane {number} of {len(expected)}, {position:.2f} mm")
        assert f"values {values.min()} to {values.max()} HU" in line
        tile = values.repeat(round(down * factor), 0).repeat(round(across * factor), 1).astype(np.uint8)
        assert stands_in(tile, whole)
    assert found.facts["edges"] == EDGES[plane]
    assert found.facts["native size"] == f"{values.shape[1]} x {values.shape[0]} pixels (columns x rows)"


def test_left_and_right_by_hand() -> None:
    """The truth of this page itself: an axial volume as usual, x to the left of the patient, z to the head."""
    (where, coronal), *_ = truth("coronal", (1, 0, 0, 0, 1, 0))
    assert where == 20.0
    assert coronal[0, 0] == voxel(0, 0, SLICES - 1), "right and head: the first column of the top slice"
    assert coronal[-1, -1] == voxel(COLUMNS - 1, 0, 0), "left and feet"
    (where, sagittal), *_ = truth("sagittal", (1, 0, 0, 0, 1, 0))
    assert where == 6.0, "the leftmost column, x = -6, comes first"
    assert sagittal[0, 0] == voxel(COLUMNS - 1, 0, SLICES - 1), "front and head"
    assert sagittal[-1, -1] == voxel(COLUMNS - 1, ROWS - 1, 0), "back and feet"


async def test_chosen_positions_and_evenly_spaced_ones() -> None:
    picked = await shown(volume(), "coronal", slices=[6, 2])
    spaced = await shown(volume(), "coronal", samples=3)
    numbers = [[said.partition(",")[0] for name, said in found.facts.items() if name.startswith("row ")]
               for found in (picked, spaced)]  # fmt: skip
    assert numbers == [["plane 6 of 7", "plane 2 of 7"], ["plane 1 of 7", "plane 4 of 7", "plane 7 of 7"]]
    with pytest.raises(BadArgument, match="There is no slice 8: slices are numbers from 1 to 7"):
        await shown(volume(), "coronal", slices=[8])


async def test_the_text_says_what_they_are() -> None:
    facts = (await shown(volume(), "coronal", samples=3)).facts
    assert facts["images"] == "7 coronal planes in geometric order; 3 shown"
    assert facts["reformat"].startswith("coronal, along the axes of the volume; made by this program from all 6 images")
    assert (
        "(axial, 3 mm apart), not stored in the archive; 3 mm from row to row, 1 mm from column to column"
        in (facts["reformat"])
    )
    assert "SOPInstanceUID" not in str(facts)
    assert facts["SeriesInstanceUID"]
    assert "Explicit VR Little Endian" in facts["pixels"]


async def test_the_plane_of_the_images_is_that_of_the_native_slices() -> None:
    native, axial = await shown(volume(), "native"), await shown(volume(), "axial")
    assert axial.facts == native.facts
    assert axial.picture.data == native.picture.data
    assert native.facts["edges"] == EDGES["axial"]


async def test_oblique_volumes_say_by_how_much() -> None:
    """Turned by 20 degrees about x: what was coronal is now 20 degrees from it."""
    c, s = np.cos(np.radians(20)), np.sin(np.radians(20))
    found = await shown(volume((1, 0, 0, 0, c, s)), "coronal", samples=1)
    assert found.facts["reformat"].startswith("oblique, 20 degrees from coronal towards axial")
    assert found.facts["edges"] == "left R, right L, top HA, bottom FP"
    tile = np.array([[voxel(i, 3, k) for i in range(COLUMNS)] for k in reversed(range(SLICES))], np.uint8)
    factor = enlarged(found)
    assert stands_in(tile.repeat(3 * factor, 0).repeat(factor, 1), sheet(found))


async def test_a_stretch_that_is_no_whole_factor_is_smooth() -> None:
    found = await shown(volume(spacing=2.5), "coronal", samples=1)
    factor = enlarged(found)
    ys, xs = np.nonzero(sheet(found)[25:] != 48)
    assert abs((ys.max() - ys.min() + 1) - 2.5 * SLICES * factor) <= 1
    assert xs.max() - xs.min() + 1 == COLUMNS * factor


async def test_each_slice_with_its_own_rescale() -> None:
    """As PET has it: stored values say nothing, real ones do."""
    slices = volume(Modality="PT", Units="BQML")
    for k, one in enumerate(slices):
        one.RescaleSlope, one.RescaleIntercept = k + 1, 0
    found = await shown(slices, "coronal", slices=[4])
    tile = np.array([[voxel(i, 3, k) * (k + 1) for i in range(COLUMNS)] for k in reversed(range(SLICES))])
    assert f"values {tile.min()} to {tile.max()} Bq/ml" in found.facts["row 1, column 1"]
    factor, seen = enlarged(found), np.minimum(tile, 255).astype(np.uint8)
    assert stands_in(seen.repeat(3 * factor, 0).repeat(factor, 1), sheet(found))


async def test_padding_of_slices_with_their_own_rescale_is_no_value() -> None:
    slices = volume(PixelPaddingValue=0)
    slices[0].RescaleSlope = 2
    found = await shown(slices, "sagittal", slices=[5])
    assert f"values {voxel(0, 1, 0) * 2} to {voxel(0, ROWS - 1, SLICES - 1)} HU" in found.facts["row 1, column 1"]


async def test_windows_of_the_files_that_differ_become_one() -> None:
    slices = volume()
    for k, one in enumerate(slices):
        one.WindowCenter, one.WindowWidth = 100 + k, 51
    found = await shown(slices, "coronal", windows=("auto",))
    assert found.facts["window"].startswith(f"window {100 + SLICES // 2}/51 of the file")
    assert "here they are those of the middle slice" in " ".join(found.notes)


def enhanced(order: list[int]) -> pydicom.Dataset:
    """The slices in this order as frames of one instance."""
    parts = volume()
    one, frames = parts[0], [parts[k].PixelData for k in order]
    one.NumberOfFrames, one.PixelData = SLICES, b"".join(frames)
    del one.ImagePositionPatient
    one.PerFrameFunctionalGroupsSequence = [pydicom.Dataset() for _ in order]
    for k, group in zip(order, one.PerFrameFunctionalGroupsSequence, strict=True):
        group.PlanePositionSequence = [pydicom.Dataset()]
        group.PlanePositionSequence[0].ImagePositionPatient = list(place((1, 0, 0, 0, 1, 0), 0, 0, k))
    return one


@pytest.mark.parametrize(("kind", "making"), [("google", Google), ("dcm4chee", Dcm4chee)])
async def test_frames_of_one_instance_make_a_volume(kind: str, making: Any) -> None:
    one = enhanced([3, 0, 5, 1, 4, 2])
    fake = making(Store(one))
    found = await shown([one], "sagittal", fake, kind)
    whole, factor = sheet(found), enlarged(found)
    for _, values in truth("sagittal", (1, 0, 0, 0, 1, 0)):
        assert stands_in(values.astype(np.uint8).repeat(3 * factor, 0).repeat(factor, 1), whole)
    assert sum("/frames/" in path for path in fake.paths) == 1, "all frames in one request"


async def test_the_frame_of_several_that_is_damaged_is_named() -> None:
    """Frames of one instance come together; what is wrong with one of them is said of that one."""
    one = enhanced(list(range(SLICES)))
    one.PixelData = one.PixelData[: len(one.PixelData) * 4 // SLICES]
    with pytest.raises(ArchiveError, match="slice 5 of 6 of the volume cannot be had"):
        await shown([one], "sagittal")


# ---- what is refused -------------------------------------------------------------------------------------------------


def _irregular(slices: list[pydicom.Dataset]) -> None:
    slices[3].ImagePositionPatient = [*slices[3].ImagePositionPatient[:2], 507.5]


def _sheared(slices: list[pydicom.Dataset]) -> None:
    for k, one in enumerate(slices):
        one.ImagePositionPatient = [-10, 20 + 2 * k, 500 + 3 * k]


def _in_several_stacks(slices: list[pydicom.Dataset]) -> None:
    for k, one in enumerate(slices):
        one.EchoTime = 30 + 30 * (k % 2)
        one.ImagePositionPatient = [-10, 20, 500 + 3 * (k // 2)]


def _nowhere(slices: list[pydicom.Dataset]) -> None:
    for one in slices:
        del one.ImagePositionPatient


def _colour(slices: list[pydicom.Dataset]) -> None:
    for one in slices:
        one.PhotometricInterpretation, one.SamplesPerPixel, one.PlanarConfiguration = "RGB", 3, 0
        one.BitsAllocated = one.BitsStored = 8
        one.HighBit, one.PixelRepresentation = 7, 0


def _of_several_units(slices: list[pydicom.Dataset]) -> None:
    slices[2].RescaleType = "Z_EFF"


def _without_pixel_size(slices: list[pydicom.Dataset]) -> None:
    for one in slices:
        del one.PixelSpacing


def _far_apart(slices: list[pydicom.Dataset]) -> None:
    for k, one in enumerate(slices):
        one.ImagePositionPatient = [-10, 20, 500 + 30 * k]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (_irregular, "the spacing is irregular"),
        (_sheared, "sheared by 33.7 degrees (as by a tilted gantry)"),
        (_in_several_stacks, 'by words (such as stack="EchoTime=30")'),
        (_nowhere, "not several images with positions"),
        (_colour, "these are RGB"),
        (_of_several_units, "or in the unit of their values"),
        (_without_pixel_size, "needs PixelSpacing"),
        (_far_apart, "1 mm wide and 30 mm high"),
    ],
)
async def test_what_is_no_volume_is_refused_with_the_reason(spoil: Any, says: str) -> None:
    slices = volume()
    spoil(slices)
    fake = Google(Store(*slices))
    with pytest.raises(BadArgument, match=re.escape(says)) as refused:
        await shown(slices, "coronal", fake)
    assert "Leave plane out" in str(refused.value)
    assert not any("/frames/" in path for path in fake.paths), "refused before any pixel is fetched"


async def test_one_stack_of_several_can_be_cut() -> None:
    slices = volume()
    _in_several_stacks(slices)
    found = await shown(slices, "coronal", stack="EchoTime=60", samples=1)
    assert "made by this program from all 3 images" in found.facts["reformat"]
    assert "EchoTime=60" in found.facts["images"]
    tile = np.array([[voxel(i, 3, k) for i in range(COLUMNS)] for k in (5, 3, 1)], np.uint8)
    factor = enlarged(found)
    assert stands_in(tile.repeat(3 * factor, 0).repeat(factor, 1), sheet(found))


async def test_localizers_beside_a_volume_are_no_part_of_it() -> None:
    localizer = volume((0, 1, 0, 0, 0, -1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])[0]
    localizer.SOPInstanceUID = localizer.file_meta.MediaStorageSOPInstanceUID = "1.2.3.99"
    found = await shown([*volume(), localizer], "coronal", samples=3)
    assert "from all 6 images" in found.facts["reformat"]
    native = await shown([*volume(), localizer], "axial")
    assert "reformat" not in native.facts
    assert native.facts["images"].startswith("6 in geometric order of stack 1 of 2 (axial)")


async def test_many_slices_and_many_bytes_are_refused_with_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reformat, "MOST_SLICES", 5)
    with pytest.raises(BadArgument, match="it would take all 6 images, and at most 5 are read"):
        await shown(volume(), "coronal")
    monkeypatch.setattr(reformat, "MOST_SLICES", 6)
    slices = volume()
    for one in slices:
        one.Rows = one.Columns = 8000
    with pytest.raises(BadArgument, match=re.escape("768 MB uncompressed; 600 MB is the most")):
        await shown(slices, "coronal")


@pytest.mark.parametrize("trouble", ["missing", "damaged", "denied"])
async def test_a_frame_that_cannot_be_had_ends_it(trouble: str) -> None:
    slices = volume()
    if trouble == "damaged":
        slices[4].PixelData = slices[4].PixelData[:20]
    fake = Google(Store(*slices))
    if trouble != "damaged":
        fake.fail({"missing": 404, "denied": 403}[trouble], times=50, only=f"{slices[4].SOPInstanceUID}/frames")
    with pytest.raises(ArchiveError) as ended:
        await shown(slices, "coronal", fake)
    gap = "slice 5 of 6 of the volume cannot be had, and a gap in a reformat would look like anatomy"
    assert (gap in str(ended.value)) == (trouble != "denied")


# ---- real files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (SHIPPED / "dicomdirtests", "1.3.6.1.4.1.5962.1.1.0.0.0.1194734704.16302.0.6"),
        (DATA / "ct-seg-sr", "1.2.392.200103.20080913.113635.1.2009.6.22.21.43.10.23430.1"),
    ],
)
async def test_real_series_in_a_folder(path: Path, uid: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Axial CT: the values of each plane are those of pydicom's arrays, put in order by height."""
    monkeypatch.setenv("DICOMWEB_MCP_CACHE", str(tmp_path))
    files = [pydicom.dcmread(file, force=True) for file in path.rglob("*") if file.is_file()]
    slices = sorted((one for one in files if one.get("SeriesInstanceUID") == uid and "PixelData" in one),
                    key=lambda one: one.ImagePositionPatient[2])  # fmt: skip
    stored, one = np.stack([pixel_array(each) for each in slices]), slices[0]
    padding = stored == one.get("PixelPaddingValue", -40_000)
    whole = np.where(padding, np.nan, stored * float(one.RescaleSlope) + float(one.RescaleIntercept))
    app = App(load(archives=[f"mine={path}"], environment={}))
    try:
        for plane, cut in (("coronal", whole.transpose(1, 0, 2)), ("sagittal", whole.transpose(2, 0, 1)[::-1])):
            request = SeriesRequest(series_uid=uid, plane=plane, samples=5)  # type: ignore[arg-type]
            found = await show_series(app, None, request)
            lines = [said for name, said in found.facts.items() if name.startswith("row ")]
            assert len(lines) == 5
            for line in lines:
                number = int(line.split()[1])
                expected = cut[number - 1]
                assert f"plane {number} of {len(cut)}, " in line
                assert f"values {np.nanmin(expected):g} to {np.nanmax(expected):g} HU" in line
    finally:
        await app.close()
