"""Two made series side by side: which slices are paired, by hand-computed positions, and how large each is shown."""

import re
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from PIL import Image
from pydicom.data import get_testdata_file

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services.pictures import Shown
from dicomweb_mcp.services.preview import show_series
from dicomweb_mcp.services.samples import SeriesRequest
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import Store
from support import app_over

pytestmark = pytest.mark.anyio

A, B = "1.2.3.10", "1.2.3.20"
AXIAL, FLIPPED, CORONAL = (1, 0, 0, 0, 1, 0), (-1, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, -1)


def series(
    uid: str, heights: list[float], *, pixels: int = 64, spacing: float = 1.0, directions: Any = AXIAL,
    centre: tuple[float, float] = (0.0, 0.0), **more: Any,
) -> list[pydicom.Dataset]:  # fmt: skip
    """Slices at these heights whose middle lies at ``centre`` (x, y); all of slice k of the list is 100 k + 10, and the
    square of 20 mm in the middle 100 k + 60."""
    made = []
    row, column = np.array(directions[:3], float), np.array(directions[3:], float)
    half = (pixels - 1) / 2 * spacing
    for k, height in enumerate(heights):
        one = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        one.SeriesInstanceUID, one.SOPInstanceUID = uid, f"{uid}.{k + 1}"
        one.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        one.InstanceNumber, one.Rows, one.Columns = len(heights) - k, pixels, pixels
        one.PixelSpacing, one.ImageOrientationPatient = [spacing, spacing], list(directions)
        one.ImagePositionPatient = list(np.array([*centre, height]) - half * row - half * column)
        one.RescaleSlope, one.RescaleIntercept, one.SeriesDescription = 1, 0, f"series {uid[-2:]}"
        values = np.full((pixels, pixels), 100 * k + 10, np.int16)
        inside = np.abs((np.arange(pixels) - (pixels - 1) / 2) * spacing) < 10
        values[np.ix_(inside, inside)] = 100 * k + 60
        one.PixelData = values.tobytes()
        for keyword, value in more.items():
            setattr(one, keyword, value)
        made.append(one)
    return made


async def compared(*both: list[pydicom.Dataset], fake: Any = None, kind: str = "google", **more: Any) -> Shown:
    request = {"samples": 36, "format": "png", "size": 1200, "series_uid": A, "compare_with": B, **more}
    app = app_over({"pacs": (fake or Google(Store(*(one for each in both for one in each))), kind)})
    return await show_series(app, None, SeriesRequest(**request))  # type: ignore[arg-type]


def lines(found: Shown) -> list[str]:
    return [said for name, said in found.facts.items() if name.startswith("row ")]


def pairs(found: Shown) -> list[tuple[int, int | None, str]]:
    """Slice of A, slice of B, and how far that lies from it, as the text says."""
    read = []
    for line in lines(found):
        mine, _, theirs = line.partition("; B: ")
        match = re.match(r"([+-][\d.]+) mm from A, slice (\d+) of", theirs)
        number = re.match(r"A: slice (\d+) of", mine)
        assert number
        read.append((int(number[1]), int(match[2]) if match else None, match[1] if match else ""))
    return read


def sheet(found: Shown) -> NDArray[Any]:
    return np.asarray(Image.open(BytesIO(found.picture.data)))


@pytest.mark.parametrize(("kind", "making"), [("google", Google), ("dcm4chee", Dcm4chee)])
@pytest.mark.parametrize("directions", [AXIAL, FLIPPED])
async def test_slices_are_paired_by_where_they_lie(kind: str, making: Any, directions: Any) -> None:
    """A at 0, 4, 8, 12 mm; B at -1, 2, 5, 8 mm, counted from the other end where its normal is flipped."""
    first, second = series(A, [0, 4, 8, 12]), series(B, [-1, 2, 5, 8], directions=directions)
    found = await compared(fake=making(Store(*first, *second)), kind=kind)
    ascending = [1, 3, 4] if directions == AXIAL else [4, 2, 1]
    assert pairs(found) == [
        (1, ascending[0], "-1.00"), (2, ascending[1], "+1.00"), (3, ascending[2], "+0.00"), (4, None, ""),
    ]  # fmt: skip
    assert lines(found)[3].endswith("B: no slice of it within 1.5 mm")
    for k, line in zip((0, 2, 3), lines(found), strict=False):
        theirs = line.partition("; B: ")[2]
        assert f"SOPInstanceUID {B}.{k + 1}, " in theirs
        assert f"values {100 * k + 10} to {100 * k + 60} HU" in theirs
    assert ("edges are not the same" in " ".join(found.notes)) == (directions == FLIPPED)


async def test_distances_along_a_descending_normal() -> None:
    """A's normal points to the feet: what lies nearer to the head is behind it."""
    found = await compared(series(A, [0, 4], directions=FLIPPED), series(B, [1, 5]))
    assert pairs(found) == [(1, 2, "-1.00"), (2, 1, "-1.00")]


async def test_a_slice_of_b_may_stand_beside_several_of_a() -> None:
    fake = Google(Store(*series(A, [0, 1, 2, 3]), *series(B, [0, 3])))
    found = await compared(fake=fake)
    assert pairs(found) == [(1, 1, "+0.00"), (2, 1, "-1.00"), (3, 2, "+1.00"), (4, 2, "+0.00")]
    assert sum("/frames/" in path and f"/series/{B}/" in path for path in fake.paths) == 2


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_of_one_study_or_of_two(elsewhere: bool) -> None:
    second = series(B, [0, 4], **({"StudyInstanceUID": "1.2.99"} if elsewhere else {}))
    found = await compared(series(A, [0, 4]), second)
    assert pairs(found) == [(1, 1, "+0.00"), (2, 2, "+0.00")]
    assert (found.facts["A SeriesInstanceUID"], found.facts["B SeriesInstanceUID"]) == (A, B)
    assert (found.facts["A SeriesDescription"], found.facts["B SeriesDescription"]) == ("series 10", "series 20")
    assert (found.facts["B StudyInstanceUID"] == "1.2.99") == elsewhere
    assert found.facts["A Modality"] == "CT"


@pytest.mark.parametrize(("pixels", "spacing"), [(16, 4.0), (32, 4.0), (128, 0.5), (100, 0.7)])
async def test_both_have_the_same_scale_in_mm(pixels: int, spacing: float) -> None:
    """The square of about 20 mm (whole pixels) is as long in both tiles, however large these and their pixels are."""
    found = await compared(
        series(A, [0]), series(B, [0], pixels=pixels, spacing=spacing), windows=("35..36",), size=1000
    )
    whole = sheet(found)
    scale = float(re.search(r"([\d.]+) picture pixels for one mm", found.facts["tiles"])[1])  # type: ignore[index]
    middle = whole[(whole.shape[0] + 25 - 8) // 2]
    bright = np.flatnonzero(np.diff(np.concatenate([[0], (middle > 200).astype(int), [0]])))
    assert len(bright) == 4, "one square in each tile"
    lengths = bright[1::2] - bright[::2]
    inside = np.abs((np.arange(pixels) - (pixels - 1) / 2) * spacing) < 10
    across = float(inside.sum() * spacing)
    assert abs(lengths[0] - 20 * scale) <= 2
    assert abs(lengths[1] - across * scale) <= 2


async def test_a_window_of_one_modality_is_not_forced_on_the_other() -> None:
    pet = series(B, [0, 4], Modality="PT", Units="BQML", RescaleType="BQML", WindowCenter=100, WindowWidth=41)
    found = await compared(series(A, [0, 4]), pet, windows=("auto", "bone"))
    assert found.facts["A windows"].startswith("side by side for each slice: auto: window 40/400 customary")
    assert "auto: window 100/41 of the file" in found.facts["B windows"]
    for line in lines(found):
        mine, _, theirs = line.partition("; B: ")
        assert "not shown" not in mine
        assert "bone: not shown: The preset bone is for CT" in theirs
    assert "row 1, columns 1 to 4" in found.facts


async def test_centres_that_differ_are_said() -> None:
    same = await compared(series(A, [0, 4]), series(B, [0, 4], pixels=32, spacing=4))
    aside = await compared(series(A, [0, 4]), series(B, [0, 4], centre=(30, -40)))
    assert not any("centre" in note for note in same.notes)
    assert "middle of B's image lies up to 50.0 mm beside A's" in " ".join(aside.notes)


async def test_planes_that_are_a_little_askew_are_measured_in_the_middle() -> None:
    """Turned by 1 degree about x around the middle: the corner lies 0.55 mm off, the middle where it is."""
    c, s = np.cos(np.radians(1)), np.sin(np.radians(1))
    found = await compared(series(A, [0, 4, 8]), series(B, [0.5, 4.5, 8.5], directions=(1, 0, 0, 0, c, s)))
    assert pairs(found) == [(1, 1, "+0.50"), (2, 2, "+0.50"), (3, 3, "+0.50")]


async def test_of_several_stacks_the_one_that_fits() -> None:
    several = [*series(B, [0, 4]), *series(B, [0, 0.5, 1], directions=CORONAL)]
    for k, one in enumerate(several):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{B}.{k + 1}"
        if k > 1:
            one.ImagePositionPatient = [0, 5 * k, 0]
    found = await compared(series(A, [0, 4]), several)
    assert pairs(found) == [(1, 1, "+0.00"), (2, 2, "+0.00")]
    assert "of stack 2 of 2 (axial)" in found.facts["B images"]


async def test_localizers_of_either_series_are_no_part_of_it() -> None:
    both = []
    for uid in (A, B):
        localizer = series(uid, [0], directions=CORONAL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])[0]
        localizer.SOPInstanceUID = localizer.file_meta.MediaStorageSOPInstanceUID = f"{uid}.99"
        both.append([*series(uid, [0, 4]), localizer])
    assert pairs(await compared(*both)) == [(1, 1, "+0.00"), (2, 2, "+0.00")]


async def test_several_stacks_that_fit_are_listed() -> None:
    echoes = [*series(B, [0, 4], EchoTime=30), *series(B, [0, 4], EchoTime=60)]
    for k, one in enumerate(echoes):
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"{B}.{k + 1}"
    with pytest.raises(BadArgument, match=r"has 2 stacks: 1 \(axial, EchoTime=30; .* 2 of them are parallel"):
        await compared(series(A, [0, 4]), echoes)
    found = await compared(series(A, [0, 4]), echoes, series_uid=B, compare_with=A, stack="EchoTime=60")
    assert "EchoTime=60" in found.facts["A images"]


@pytest.mark.parametrize(
    ("second", "says"),
    [
        ({"FrameOfReferenceUID": "1.2.77"}, "and 1.2.77 in the second"),
        ({"FrameOfReferenceUID": ""}, "and missing in the second"),
        ({"directions": CORONAL}, "the first are axial, the second coronal"),
        ({"heights": [100, 104]}, "these lie at 0.00 to 4.00 mm, and those of the second at 100.00 to 104.00 mm"),
        ({"PixelSpacing": None}, "the second has images without it"),
        ({"PixelSpacing": [1e300, 1e300]}, "the second has images without it"),
        ({"ImagePositionPatient": None}, "no positions in space"),
    ],
)
async def test_what_cannot_be_compared_is_refused_with_the_reason(second: dict[str, Any], says: str) -> None:
    with pytest.raises(BadArgument, match=re.escape(says)):
        await compared(series(A, [0, 4]), series(B, **{"heights": [0, 4], **second}))


async def test_compared_images_are_native() -> None:
    with pytest.raises(BadArgument, match="leave plane out"):
        await compared(series(A, [0, 4]), series(B, [0, 4]), plane="coronal")


async def test_a_slice_of_b_that_fails_is_crossed_out_alone() -> None:
    fake = Google(Store(*series(A, [0, 4]), *series(B, [0, 4])))
    fake.fail(404, times=10, only=f"{B}.2/frames")
    found = await compared(fake=fake)
    assert ["not shown: " in line for line in lines(found)] == [False, True]
