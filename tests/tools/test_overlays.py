"""render_frame with a segmentation as overlay: drawn where it belongs in the patient, refused where that is not known."""

from collections import Counter
from copy import deepcopy
from typing import Any

import httpx
import numpy as np
import pydicom
import pytest
from pydicom import Dataset

from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.dicom import functional_groups
from dicomweb_mcp.dicom.values import items
from dicomweb_mcp.services.overlay import Misplaced, Target, segmentation
from fakes.base import Asked, multipart
from fakes.dcm4chee import Dcm4chee
from fakes.google import Google
from fakes.store import SHIPPED, Store
from segmentations import as_json, make, read
from support import open_over
from tools.eras import IN_BOTH_ERAS
from tools.overlay_helpers import RTSS, SEG, SIZE, contour, over, segments, structures, volume
from tools.picture_helpers import SERVERS, Making, series
from tools.reading import call, refusal, shown, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("kind", "making"), SERVERS)
@IN_BOTH_ERAS
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


async def test_frames_of_one_plane_may_be_rounded_in_different_ways(connect: Any) -> None:
    """A segmentation of planes 5 mm deep, whose frames of one plane differ in the seventh digit, is drawn on an image
    2 mm away: that they differ does not make the planes thin."""
    images = series(5)
    wavering = segments(5)
    wavering.SegmentSequence.pop()
    for nth, group in enumerate(wavering.PerFrameFunctionalGroupsSequence):
        group.SegmentIdentificationSequence[0].ReferencedSegmentNumber = 1
        x, y, z = group.PlanePositionSequence[0].ImagePositionPatient
        group.PlanePositionSequence[0].ImagePositionPatient = [x, y, f"{float(z) + 0.005 + (-1) ** nth * 2e-6:.6f}"]
    for image in images:
        image.ImagePositionPatient[2] += 2
    async with connect(**over(*images, wavering)) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG}
        drawn = text_of(await call(client, "render_frame", **asked, slice=2))
    assert f"on this image 1 of 1: 1 Block #ff4040, {(volume()[1] > 0).any(axis=-1).sum():,} pixels" in drawn


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


@pytest.mark.parametrize(("kind", "making"), SERVERS)
async def test_the_uid_of_its_instance_is_told_from_that_of_its_series(connect: Any, kind: str, making: Making) -> None:
    images, overlay = series(5), segments()
    async with connect(pacs=(making(Store(*images, overlay)), kind)) as client:
        for of_images in ({"series_uid": images[0].SeriesInstanceUID}, {"instance_uid": images[0].SOPInstanceUID}):
            said = await refusal(client, "render_frame", **of_images, overlay=overlay.SOPInstanceUID)
            assert said == (
                f"overlay={overlay.SOPInstanceUID} is the UID of an instance: overlay takes that of its series, {SEG}."
            )


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


async def test_more_frames_than_are_read_are_refused_with_what_to_do(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slice 2 meets a frame of each segment; segment 1 has four frames."""
    for name in ("DRAWING", "SEARCHING"):
        monkeypatch.setattr(segmentation, name, getattr(segmentation, name)._replace(frames=1))
    images = series(5)
    async with connect(**over(*images, segments())) as client:
        asked = {"series_uid": images[0].SeriesInstanceUID, "overlay": SEG}
        both = await refusal(client, "render_frame", **asked, slice=2)
        one = text_of(await call(client, "render_frame", **asked, slice=2, segment=1))
        largest = await refusal(client, "render_frame", **asked, slice="largest", segment=1)
    assert f"2 frames of {2 * SIZE * SIZE // 8:,} bytes in all" in both
    assert "Give segment, to draw one of them alone." in both
    assert "on this image 1 of 1" in one
    assert "4 frames of" in largest
    assert "Choose the image by slice or position_mm." in largest


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
