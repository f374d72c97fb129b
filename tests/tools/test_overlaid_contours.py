"""render_frame with a structure set as overlay: contours on the slices in whose planes they lie."""

from typing import Any

import numpy as np
import pytest
from pydicom import Dataset

from tools.overlay_helpers import RTSS, contour, over, structures
from tools.picture_helpers import series
from tools.reading import call, refusal, shown, text_of

pytestmark = pytest.mark.anyio


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
