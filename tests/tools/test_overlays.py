"""render_frame with an overlay: drawn where it belongs in the patient, refused where that is not known."""

import io
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from highdicom.content import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset
from pydicom.sr.codedict import codes

from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.dicom import functional_groups
from dicomweb_mcp.dicom.values import items
from dicomweb_mcp.services.overlay import Misplaced, Target, segmentation
from fakes.base import Asked, Fake, multipart
from fakes.dcm4chee import Dcm4chee
from fakes.google import IDC_BASE, Google
from fakes.store import SHIPPED, Store
from segmentations import as_json, make, read
from support import open_over
from tools.reading import call, refusal, text_of
from tools.test_preview import place_of, series, shown, tile_lines

pytestmark = pytest.mark.anyio

SEG, RTSS = "1.2.9.1", "1.2.9.2"
SIZE = 128
Making = Callable[[Store], Fake]

SERVERS = [
    pytest.param("google", lambda store: Google(store), id="google"),
    pytest.param("idc", lambda store: Google(store, IDC_BASE, idc=True), id="idc"),
    pytest.param("dcm4chee", lambda store: Dcm4chee(store), id="dcm4chee"),
]


def volume() -> np.ndarray:
    """Five planes of two segments: a block that grows towards plane 4, and a point on plane 2."""
    found = np.zeros((5, SIZE, SIZE, 2), np.uint8)
    for plane in range(1, 5):
        found[plane, 20 : 30 + 5 * plane, 40:60, 0] = plane != 4
    found[4, 20:22, 40:42, 0] = 1
    found[1, 100, 7, 1] = 1
    return found


@cache
def made(spacing: float) -> bytes:
    """A file by highdicom: two segments made from five images."""
    algorithm = AlgorithmIdentificationSequence("maker", codes.DCM.ArtificialIntelligence, "1")
    described = [
        SegmentDescription(number, label, codes.SCT.Tissue, codes.SCT.Tissue, "AUTOMATIC", algorithm)
        for number, label in enumerate(("Block", "Point of interest"), start=1)
    ]
    built = Segmentation(
        series(5, SpacingBetweenSlices=spacing), volume(), "BINARY", described, series_instance_uid=SEG,
        series_number=9, sop_instance_uid="1.2.9.1.1", instance_number=1, manufacturer="m",
        manufacturer_model_name="m", software_versions="1", device_serial_number="1",
    )  # fmt: skip
    file = io.BytesIO()
    built.save_as(file)
    return file.getvalue()


def segments(spacing: float = 5, **more: Any) -> Dataset:
    found = pydicom.dcmread(io.BytesIO(made(spacing)))
    for keyword, value in more.items():
        setattr(found, keyword, value)
    return found


def contour(*points: tuple[float, float, float], kind: str = "CLOSED_PLANAR") -> Dataset:
    flat = [value for point in points for value in point]
    return make(ContourGeometricType=kind, NumberOfContourPoints=len(points), ContourData=flat)


def structures(image: Dataset, regions: dict[str, list[Dataset]], space: str = "") -> Dataset:
    found = make(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.481.3", SOPInstanceUID="1.2.9.2.1", SeriesInstanceUID=RTSS,
        StudyInstanceUID=image.StudyInstanceUID, Modality="RTSTRUCT", SeriesDescription="Contours",
        StructureSetROISequence=[
            make(ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=space or image.FrameOfReferenceUID)
            for number, name in enumerate(regions, start=1)
        ],
        ROIContourSequence=[
            make(ReferencedROINumber=number, ROIDisplayColor=[0, 255, 0], ContourSequence=contours)
            for number, contours in enumerate(regions.values(), start=1)
        ],
    )  # fmt: skip
    found.file_meta = pydicom.dataset.FileMetaDataset()
    found.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    return found


def over(*objects: Dataset) -> dict[str, Any]:
    return {"pacs": (Google(Store(*objects)), "google")}


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_a_segment_is_drawn_on_its_own_pixels_alone(connect: Any, kind: str, making: Making) -> None:
    images = series(5)
    asked = {"series_uid": images[0].SeriesInstanceUID, "slice": 3, "format": "png"}
    async with connect(pacs=(making(Store(*images, segments())), kind)) as client:
        plain = shown(await call(client, "render_frame", **asked))
        result = await call(client, "render_frame", **asked, overlay=SEG)
    drawn, text = shown(result), text_of(result)
    assert plain.shape == (256, 256)
    assert drawn.shape == (256 + 17, 256, 3)
    mask = volume()[2, ..., 0].repeat(2, axis=0).repeat(2, axis=1).astype(bool)
    same = (drawn[:256] == plain[..., None]).all(axis=-1)
    assert same[~mask].all()
    assert not same[mask].all()
    colour = tuple(drawn[:256][mask][0])
    assert (drawn[256:] == colour).all(axis=-1).any(), "the legend has the colour of the outline"
    written = "#" + "".join(f"{part:02x}" for part in colour)
    assert f"on this image 1 of 2: 1 Block {written}, {mask.sum() // 4:,} pixels" in text
    assert "placed by patient coordinates, on the pixels of the image itself" in text
    assert "the 17 pixels at the bottom are the legend" in text
    assert "scale: native x = 0.5 * picture x, native y = 0.5 * picture y" in text


async def test_only_the_frames_of_the_slice_are_read(connect: Any) -> None:
    images = series(5)
    fake = Google(Store(*images, segments()))
    async with connect(pacs=(fake, "google")) as client:
        await call(client, "render_frame", series_uid=images[0].SeriesInstanceUID, slice=2, overlay=SEG)
    asked = [one.path for one in fake.requests if f"/series/{SEG}/" in one.path and "/frames/" in one.path]
    assert len(asked) == 1
    assert len(asked[0].rpartition("/")[2].split(",")) == 2, "one frame of each segment"


async def test_the_largest_slice_of_a_named_segment_is_found_whatever_its_number(connect: Any) -> None:
    images = series(5)
    async with connect(**over(*images, segments())) as client:
        for name, number in (("block", 4), ("point", 2), (2, 2), ("Point of interest", 2)):
            result = await call(
                client,
                "render_frame",
                series_uid=images[0].SeriesInstanceUID,
                overlay=SEG,
                slice="largest",
                segment=name,
            )
            assert f"slice: {number} of 5 in geometric order" in text_of(result)
            assert "the one with the most of the overlay's segment" in text_of(result)
            assert "on this image 1 of 1" in text_of(result)


async def test_a_slice_that_no_segment_touches_says_so(connect: Any) -> None:
    images = series(5)
    async with connect(**over(*images, segments())) as client:
        result = await call(client, "render_frame", series_uid=images[0].SeriesInstanceUID, slice=1, overlay=SEG)
    assert "none of the 2 segments touches this image; it lies at 20.00 to 50.00 mm" in text_of(result)
    assert 'slice="largest"' in text_of(result)


async def test_on_another_grid_of_the_same_space_the_nearest_pixel_is_taken(connect: Any) -> None:
    """The same frame of reference: images of twice the pixel size, 2 mm higher."""
    images = series(5)
    segmentation = segments(10)
    coarse = deepcopy(images)
    for one in coarse:
        one.SeriesInstanceUID, one.SOPInstanceUID = "1.2.9.3", f"{one.SOPInstanceUID}.9"
        one.ImagePositionPatient = [*np.array(one.ImagePositionPatient[:2]), float(one.ImagePositionPatient[2]) + 2]
        one.PixelSpacing = [2 * value for value in one.PixelSpacing]
        one.Rows = one.Columns = SIZE // 2
        one.PixelData = one.PixelData[: SIZE * SIZE // 2]
    async with connect(**over(*coarse, segmentation)) as client:
        result = await call(client, "render_frame", series_uid="1.2.9.3", slice=3, overlay=SEG, segment=1)
    count = volume()[2, ::2, ::2, 0].sum()
    assert f"1 Block #ff4040, {count:,} pixels" in text_of(result)
    assert "its pixels are not those of the image, so the nearest one was taken, from a plane up to 2.00 mm" in text_of(
        result
    )


async def test_another_frame_of_reference_is_refused(connect: Any) -> None:
    images = series(5)
    stranger = segments(FrameOfReferenceUID="1.2.9.9")
    async with connect(**over(*images, stranger)) as client:
        said = await refusal(client, "render_frame", series_uid=images[0].SeriesInstanceUID, overlay=SEG)
    assert "frame of reference 1.2.9.9" in said
    assert images[0].FrameOfReferenceUID in said
    assert "nothing is drawn" in said


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_another_study_is_refused(connect: Any, kind: str, making: Making) -> None:
    images = series(5)
    stranger = segments(StudyInstanceUID="1.2.9.8")
    async with connect(pacs=(making(Store(*images, stranger)), kind)) as client:
        said = await refusal(client, "render_frame", series_uid=images[0].SeriesInstanceUID, overlay=SEG)
    assert "another study (1.2.9.8)" in said


async def test_without_a_place_only_the_named_source_tells(connect: Any) -> None:
    """A radiograph has no place in the patient, so the image that the frame was made from counts."""
    segmentation = deepcopy(read("seg-sm-ann-sr/seg_image_cr_binary.dcm"))
    named = segmentation.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID
    found = map(pydicom.dcmread, (SHIPPED / "dicomdirtests/77654033").glob("CR*/*"))
    image = next(one for one in found if one.SOPInstanceUID == named)
    segmentation.StudyInstanceUID = image.StudyInstanceUID
    other = deepcopy(image)
    other.SOPInstanceUID = other.SeriesInstanceUID = "1.2.9.7"
    async with connect(**over(image, other, segmentation)) as client:
        result = await call(
            client, "render_frame", instance_uid=image.SOPInstanceUID, overlay=segmentation.SeriesInstanceUID
        )
        said = await refusal(client, "render_frame", instance_uid="1.2.9.7", overlay=segmentation.SeriesInstanceUID)
    assert "placed by the image that its frames name as their source" in text_of(result)
    assert f"{segmentation.pixel_array.sum():,} pixels" in text_of(result)
    assert "no frame of the segmentation says that it was made from this image" in said


@pytest.mark.parametrize("status", [400, 404, 501])
async def test_an_archive_that_searches_series_within_a_study_alone_will_do(connect: Any, status: int) -> None:
    images = series(5)
    fake = Dcm4chee(Store(*images, segments()))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status) if request.url.path.endswith("/rs/series") else fake(request)

    asked = {"study_uid": images[0].StudyInstanceUID, "series_uid": images[0].SeriesInstanceUID, "slice": 2}
    async with connect(pacs=(answer, "dcm4chee")) as client:
        result = await call(client, "render_frame", **asked, overlay=SEG)
        assert "Copy UIDs whole" in await refusal(client, "render_frame", **asked, overlay="1.2.9.6")
    assert "on this image 2 of 2" in text_of(result)


def cut_off(asked: Asked) -> httpx.Response:
    """Frames of which next to nothing came."""
    parts = [(["Content-Type: application/octet-stream"], b"\0\0")] * len(asked.path.rpartition("/")[2].split(","))
    kind = 'multipart/related; type="application/octet-stream"; boundary=b'
    return httpx.Response(200, content=multipart(parts, "b"), headers={"Content-Type": kind})


async def test_frames_that_were_of_no_use_are_asked_for_again(connect: Any) -> None:
    images = series(5)
    fake = Google(Store(*images, segments()))
    asked = {"series_uid": images[0].SeriesInstanceUID, "slice": 2, "overlay": SEG}
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(cut_off, only=f"/series/{SEG}/instances/1.2.9.1.1/frames/")
        assert "cannot be shown" in await refusal(client, "render_frame", **asked)
        assert "on this image 2 of 2" in text_of(await call(client, "render_frame", **asked))


async def test_a_part_of_several_names_is_none_of_another_object(connect: Any) -> None:
    """Two objects of one series: what is ambiguous in the first is not quietly taken from the second."""
    images = series(5)
    first, second = segments(), segments(SOPInstanceUID="1.2.9.1.2")
    first.SegmentSequence[0].SegmentLabel, first.SegmentSequence[1].SegmentLabel = "Left kidney", "Right kidney"
    second.SegmentSequence[0].SegmentLabel = "Kidney cyst"
    async with connect(**over(*images, first, second)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "slice": 2, "overlay": SEG}
        said = await refusal(client, "render_frame", **asked, segment="kidney")
        cyst = text_of(await call(client, "render_frame", **asked, segment="cyst"))
    assert "Several are called kidney: 1 Left kidney, 2 Right kidney" in said
    assert "on this image 1 of 1: 1 Kidney cyst" in cyst


REFUSED = [
    pytest.param({"segment": 1}, "give overlay", id="segment alone"),
    pytest.param({"slice": "largest"}, "give overlay", id="largest alone"),
    pytest.param({"overlay": SEG, "slice": "largest"}, "needs segment", id="largest of which"),
    pytest.param({"overlay": SEG, "segment": 7}, "1 Block, 2 Point of interest", id="no such number"),
    pytest.param({"overlay": SEG, "segment": "o"}, "Several are called o", id="a part of two names"),
    pytest.param({"overlay": "1.2.9.6"}, "1.2.9.6", id="no such series"),
    pytest.param({"overlay": "the images"}, "image", id="images as overlay"),
    pytest.param(
        {"overlay": SEG, "slice": "largest", "segment": 1, "instance_uid": "1.2.3.1"}, "series", id="instance"
    ),
]


@pytest.mark.parametrize(("asked", "words"), REFUSED)
async def test_what_cannot_be_drawn_is_refused_with_what_to_do(connect: Any, asked: dict[str, Any], words: str) -> None:
    images = series(5)
    if asked.get("overlay") == "the images":
        asked = {"overlay": images[0].SeriesInstanceUID}
    where = {} if "instance_uid" in asked else {"series_uid": images[0].SeriesInstanceUID}
    async with connect(**over(*images, segments())) as client:
        assert words in await refusal(client, "render_frame", **where, **asked)


# ---- structure sets --------------------------------------------------------------------------------------------------


async def test_contours_are_drawn_on_their_plane(connect: Any) -> None:
    """Squares on the planes of slices 2 and 3; those of slice 3 are a millimetre above it."""
    images = series(5)
    height, width = map(float, images[0].PixelSpacing)
    corners = [(20, 30), (60, 30), (60, 90), (20, 90)]

    def square(z: float) -> Dataset:
        return contour(*((x * width, y * height, z) for x, y in corners))

    askew = contour((0, 0, 0), (9, 0, 20), (9, 9, 40))
    found = structures(images[0], {"Square": [square(20), square(31), askew], "Elsewhere": [square(50)], "Empty": []})
    async with connect(**over(*images, found)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": RTSS, "format": "png"}
        on, near, away = [await call(client, "render_frame", **asked, slice=k) for k in (2, 3, 1)]
        largest = await call(client, "render_frame", **asked, slice="largest", segment="Elsewhere")
    assert "on this image 1 of 3: 1 Square #00ff00, 1 contour" in text_of(on)
    assert "the nearest contours lie up to" not in text_of(on)
    assert "the nearest contours lie up to 1.00 mm from the plane of the image" in text_of(near)
    assert "not parallel to this image are not drawn: 1 Square" in text_of(on)
    assert "none of the 3 segments could be drawn on this image" in text_of(away), "the askew contour crosses it"
    assert "slice: 5 of 5" in text_of(largest)
    places = np.argwhere((shown(on)[:256] == (0, 255, 0)).all(axis=-1))
    # The picture is twice as large; the middle of native pixel n is at 2 n + 0.5.
    assert places.min(axis=0) == pytest.approx([60.5, 40.5], abs=1.5)
    assert places.max(axis=0) == pytest.approx([180.5, 120.5], abs=1.5)


async def test_contours_in_another_frame_of_reference_are_refused(connect: Any) -> None:
    images = series(5)
    square = contour((1, 1, 20), (9, 1, 20), (9, 9, 20))
    async with connect(**over(*images, structures(images[0], {"A": [square]}, space="1.2.9.9"))) as client:
        said = await refusal(client, "render_frame", series_uid=images[0].SeriesInstanceUID, slice=2, overlay=RTSS)
    assert "frame of reference 1.2.9.9" in said


async def test_a_segmentation_with_gaps_is_not_drawn_in_them(connect: Any) -> None:
    """Planes 20 and 50 mm are all that is stored; nothing says that they reach farther than their thickness."""
    images = series(7)
    found = segments()
    del found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices
    kept = [nth for nth, group in enumerate(found.PerFrameFunctionalGroupsSequence)
            if group.PlanePositionSequence[0].ImagePositionPatient[2] in (20, 50)]  # fmt: skip
    found.PixelData = b"".join(found.PixelData[nth * SIZE * SIZE // 8 : (nth + 1) * SIZE * SIZE // 8] for nth in kept)
    found.PerFrameFunctionalGroupsSequence = [found.PerFrameFunctionalGroupsSequence[nth] for nth in kept]
    found.NumberOfFrames = len(kept)
    async with connect(**over(*images, found)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG}
        on, between = [text_of(await call(client, "render_frame", **asked, slice=k)) for k in (2, 3)]
    assert "on this image 2 of 2" in on
    assert "none of the 2 segments touches this image" in between


async def test_across_its_planes_a_segmentation_is_cut_and_largest_is_refused(connect: Any) -> None:
    """A sagittal image through the column 45: rows run from z 50 down, columns to the back."""
    images = series(5)
    spacing = float(images[0].PixelSpacing[0])
    across = deepcopy(images[0])
    across.SeriesInstanceUID = across.SOPInstanceUID = "1.2.9.4"
    across.ImageOrientationPatient, across.ImagePositionPatient = [0, 1, 0, 0, 0, -1], [45 * spacing, 0, 50]
    across.PixelSpacing, across.Rows, across.Columns = [10, spacing], 5, SIZE
    across.PixelData = across.PixelData[: 5 * SIZE * 2]
    async with connect(**over(*images, across, segments(10))) as client:
        asked = {"series_uid": "1.2.9.4", "overlay": SEG, "segment": 1}
        result = await call(client, "render_frame", **asked)
        said = await refusal(client, "render_frame", **asked, slice="largest")
    assert f"1 Block #ff4040, {volume()[:, :, 45, 0].sum():,} pixels" in text_of(result)
    assert "are not parallel to these images" in said


# ---- on contact sheets -----------------------------------------------------------------------------------------------


async def test_each_tile_has_what_lies_on_its_slice(connect: Any) -> None:
    images = series(5)
    asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG, "format": "png"}
    async with connect(**over(*images, segments())) as client:
        result = await call(client, "preview_series", **asked, slices=[1, 3, 5])
        single = [shown(await call(client, "render_frame", **asked, slice=k))[:256] for k in (3, 5)]
    sheet = shown(result)
    for picture in single:
        assert place_of(picture, sheet) is not None
    lines = tile_lines(result)
    assert "overlay: nothing of it" in lines[0]
    assert f"overlay: 1 Block #ff4040, {volume()[2, ..., 0].sum()} pixels" in lines[1]
    assert f"overlay: 1 Block #ff4040, {volume()[4, ..., 0].sum()} pixels" in lines[2]
    assert "Point" not in text_of(result), "it lies on none of these"
    assert text_of(result).count("placed by patient coordinates") == 1
    assert max(sheet.shape[:2]) <= 1024
    assert (sheet[-17:] == (255, 64, 64)).all(axis=-1).any(), "the legend at the bottom"
    assert "shrunk" not in next(line for line in text_of(result).splitlines() if line.startswith("picture: "))


async def test_a_tile_on_which_it_cannot_be_placed_is_crossed_out(connect: Any) -> None:
    images = series(5)
    del images[2].FrameOfReferenceUID
    async with connect(**over(*images, segments())) as client:
        result = await call(
            client, "preview_series", series_uid=images[0].SeriesInstanceUID, overlay=SEG, slices=[2, 3]
        )
    assert "not shown: This image names no FrameOfReferenceUID" in tile_lines(result)[1]


async def test_a_reformat_is_cut_through_the_segments_too(connect: Any) -> None:
    """Through column 45 of five slices of 10 mm: planes are counted from the left of the patient."""
    images = series(5)
    async with connect(**over(*images, segments(10))) as client:
        result = await call(
            client, "preview_series", series_uid=images[0].SeriesInstanceUID, overlay=SEG, segment=1, plane="sagittal",
            slices=[SIZE - 45], format="png",
        )  # fmt: skip
    line = tile_lines(result)[0]
    assert f"overlay: 1 Block #ff4040, {volume()[:, :, 45, 0].sum()} pixels" in line


async def test_both_of_a_pair_have_it(connect: Any) -> None:
    images = series(5)
    twins = deepcopy(images)
    for one in twins:
        one.SeriesInstanceUID, one.SOPInstanceUID = "1.2.9.3", f"{one.SOPInstanceUID}.9"
    async with connect(**over(*images, *twins, segments())) as client:
        result = await call(
            client, "preview_series", series_uid=images[0].SeriesInstanceUID, compare_with="1.2.9.3", overlay=SEG,
            slices=[3],
        )  # fmt: skip
    count = volume()[2, ..., 0].sum()
    assert tile_lines(result)[0].count(f"overlay: 1 Block #ff4040, {count} pixels") == 2


async def test_a_segment_needs_an_overlay_there_too(connect: Any) -> None:
    images = series(5)
    async with connect(**over(*images)) as client:
        said = await refusal(client, "preview_series", series_uid=images[0].SeriesInstanceUID, segment=1)
    assert "give overlay" in said


# ---- segmentations that have no place -------------------------------------------------------------------------------


def placeless(*sources: Dataset, frames: int | None = None) -> Dataset:
    """Frames without a place, each made from one image; all is inside of the one segment."""
    groups = [
        make(
            SegmentIdentificationSequence=[make(ReferencedSegmentNumber=1)],
            DerivationImageSequence=[make(SourceImageSequence=[source])],
        )
        for source in sources
    ]
    found = segments(PerFrameFunctionalGroupsSequence=groups, NumberOfFrames=frames or len(groups))
    found.PixelData = b"\xff" * (found.NumberOfFrames * SIZE * SIZE // 8)
    del found.SharedFunctionalGroupsSequence
    return found


@pytest.mark.parametrize(("preserved", "is_drawn"), [("YES", True), ("NO", False), ("REORIENTED_ONLY", False)])
async def test_a_source_whose_pixels_were_moved_does_not_place_a_segment(
    connect: Any, preserved: str, is_drawn: bool
) -> None:
    image = series(1)[0]
    source = make(ReferencedSOPInstanceUID=image.SOPInstanceUID, SpatialLocationsPreserved=preserved)
    asked = {"series_uid": image.SeriesInstanceUID, "overlay": SEG}
    async with connect(**over(image, placeless(source))) as client:
        if is_drawn:
            assert f"{SIZE * SIZE:,} pixels" in text_of(await call(client, "render_frame", **asked))
        else:
            assert "made from this image, pixel for pixel" in await refusal(client, "render_frame", **asked)


async def test_frames_without_groups_of_their_own_are_not_drawn(connect: Any) -> None:
    images = series(2)
    source = make(ReferencedSOPInstanceUID=images[0].SOPInstanceUID)
    async with connect(**over(*images, placeless(source, frames=2))) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG}
        drawn = text_of(await call(client, "render_frame", **asked, slice=1))
        said = await refusal(client, "render_frame", **asked, slice=2)
    assert "on this image 1 of 2: 1 Block" in drawn
    assert "no frame of the segmentation says that it was made from this image" in said


async def test_ever_more_frames_without_a_place_take_no_more_time_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """The groups are gone through once, and not once for each frame."""
    image, count = series(1)[0], 200
    sources = [make(ReferencedSOPInstanceUID=f"1.2.9.5.{number}") for number in range(count)]
    found = segmentation.Segmentation(
        open_over(Google(Store()), "google"), Place("1.2", SEG, "1.2.9.1.1"), as_json(placeless(*sources))
    )
    looked = Counter[str]()
    monkeypatch.setattr(segmentation, "items", lambda obj, keyword: looked.update([keyword]) or items(obj, keyword))
    monkeypatch.setattr(
        functional_groups, "items", lambda obj, keyword: looked.update([keyword]) or items(obj, keyword)
    )
    with pytest.raises(Misplaced, match="made from this image"):
        await found.on(Target(as_json(image)), [1])
    assert looked["PerFrameFunctionalGroupsSequence"] < 10


# ---- what is said where nothing is drawn ----------------------------------------------------------------------------


async def test_where_a_segment_lies_is_told_of_itself_and_not_of_the_others(connect: Any) -> None:
    images = series(5)
    square = [contour((1, 1, z), (9, 1, z), (9, 9, z)) for z in (20, 40)]
    found = structures(images[0], {"Low": square[:1], "High": square[1:]})
    async with connect(**over(*images, segments(), found)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "slice": 5}
        segment = text_of(await call(client, "render_frame", **asked, overlay=SEG, segment="Point"))
        region = text_of(await call(client, "render_frame", **asked, overlay=RTSS, segment="Low"))
    assert "the segment does not touch this image; it lies at 20.00 to 20.00 mm along" in segment
    assert "it lies at z 20.00 to 20.00 mm" in region


async def test_what_cannot_be_drawn_is_not_said_to_lie_elsewhere(connect: Any) -> None:
    """The contours cross the image, or cannot be read; only those in its plane are drawn."""
    images = series(5)
    across = contour((10, 5, 0), (30, 5, 0), (30, 5, 60))
    unread = contour((1, 1, 30), (9, 1, 30), (9, 9, 30))
    unread.ContourData = unread.ContourData[:-1]
    found = structures(images[0], {"Across": [across], "Unread": [unread]})
    async with connect(**over(*images, found)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "slice": 3, "overlay": RTSS}
        for name in ("Across", "Unread"):
            said = text_of(await call(client, "render_frame", **asked, segment=name))
            assert "does not touch this image" not in said
            assert "nothing of the segment could be drawn on this image" in said
        assert "none of the 2 segments could be drawn" in text_of(await call(client, "render_frame", **asked))


async def test_regions_and_images_without_a_frame_of_reference_have_none_in_common(connect: Any) -> None:
    images = series(2)
    found = structures(images[0], {"A": [contour((1, 1, 20), (9, 1, 20), (9, 9, 20))]})
    del found.StructureSetROISequence[0].ReferencedFrameOfReferenceUID
    for image in images:
        del image.FrameOfReferenceUID
    async with connect(**over(*images, found)) as client:
        said = await refusal(client, "render_frame", series_uid=images[0].SeriesInstanceUID, slice=2, overlay=RTSS)
    assert "This image names no FrameOfReferenceUID, so where the structure set lies on it is not known" in said


async def test_a_point_is_not_called_empty_because_it_has_no_area(connect: Any) -> None:
    images = series(2)
    found = structures(images[0], {"Isocentre": [contour((9, 9, 20), kind="POINT")]})
    async with connect(**over(*images, found)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": RTSS, "segment": 1}
        said = await refusal(client, "render_frame", **asked, slice="largest")
    assert "1 Isocentre has no area in parallel planes" in said
    assert "it lies at z 20.00 to 20.00 mm" in said


# ---- objects that contradict themselves -----------------------------------------------------------------------------


async def test_a_number_that_two_share_has_both_names(connect: Any) -> None:
    """Nobody can say whose the frames and contours of that number are."""
    images = series(5)
    twice = segments()
    twice.SegmentSequence[1].SegmentNumber = 1
    square = contour((1, 1, 20), (9, 1, 20), (9, 9, 20))
    regions = structures(images[0], {"Liver": [square], "Spleen": []})
    regions.StructureSetROISequence[1].ROINumber = 1
    async with connect(**over(*images, twice, regions)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "slice": 2}
        segment = text_of(await call(client, "render_frame", **asked, overlay=SEG))
        region = text_of(await call(client, "render_frame", **asked, overlay=RTSS))
    assert "on this image 1 of 1: 1 Block / Point of interest #" in segment
    assert "on this image 1 of 1: 1 Liver / Spleen #" in region


async def test_frames_of_a_segment_that_is_not_described_are_not_passed_over_in_silence(connect: Any) -> None:
    images = series(5)
    found = segments()
    del found.SegmentSequence[0]
    async with connect(**over(*images, found)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG}
        said = text_of(await call(client, "render_frame", **asked, slice=3))
    assert "nothing of the segment could be drawn on this image" in said
    assert "Frames of segments that are not described are not drawn: 1." in said
