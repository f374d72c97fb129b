"""The metadata of a whole series in place of a search for the places of its images: only where they are few and right,
and whatever goes wrong with them, the images are those that the search finds."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydicom import Dataset

from dicomweb_mcp.archives.base import AccessDenied, Archive, Busy, NotFound, Place
from dicomweb_mcp.services import series_metadata
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.slices import choose, list_images
from fakes.base import DICOM_JSON, Asked
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from headers import AXIAL, made
from support import app_over

pytestmark = pytest.mark.anyio

STUDY, SERIES = "1.2.3", "1.2.3.4"
PLACE = Place(STUDY, SERIES)
COUNT = 6


def header(number: int, **values: Any) -> Dataset:
    """One of plain slices whose UIDs descend."""
    found = made(
        StudyInstanceUID=STUDY, SeriesInstanceUID=SERIES, SOPInstanceUID=f"{SERIES}.{COUNT - number}", Modality="CT",
        SOPClassUID="1.2.840.10008.5.1.4.1.1.2", InstanceNumber=1, Rows=64, Columns=64, PixelSpacing=[1, 1],
        ImageOrientationPatient=list(AXIAL), ImagePositionPatient=[0, 0, 4.0 * number], PixelData=b"",
    )  # fmt: skip
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def over(**values: Any) -> tuple[App, OrthancLike]:
    fake = OrthancLike(Store(*(header(number, **values) for number in range(COUNT))))
    return app_over({"pacs": (fake, "orthanc")}), fake


async def places(archive: Archive) -> list[tuple[str, float | None]]:
    walked = await (await list_images(archive, PLACE)).walked()
    return [(item.instance_uid, item.position) for item in walked.slices]


RIGHT = [(f"{SERIES}.{COUNT - number}", 4.0 * number) for number in range(COUNT)]


def asked(fake: OrthancLike) -> list[str]:
    """The last part of the paths since the last look."""
    found = [path.rpartition("/")[2] for path in fake.paths]
    fake.requests.clear()
    return found


async def test_they_are_read_in_one_request_and_no_instance_is_asked_for_again() -> None:
    app, fake = over()
    archive = app.remembering(None)
    assert await places(archive) == RIGHT
    assert asked(fake) == ["series", "metadata"]
    for number, uid in ((1, RIGHT[0][0]), (3, RIGHT[2][0]), (6, RIGHT[5][0])):
        found = await choose(
            app, archive, study_uid=STUDY, series_uid=SERIES, instance_uid=None, frame=None, slice=number
        )
        assert found.place.instance_uid == found.obj["00080018"]["Value"][0] == uid
    assert asked(fake) == [], "the second look costs no request"


@pytest.mark.parametrize(("bound", "value", "requests"), [("MOST_METADATA", COUNT - 1, 0), ("MOST_BYTES", 2_000, 1)])
async def test_many_or_long_ones_are_left_to_the_search(
    bound: str, value: int, requests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series_metadata, bound, value)
    app, fake = over()
    assert await places(app.archive(None)) == RIGHT
    assert asked(fake) == ["series", *["metadata"] * requests, "instances"]
    monkeypatch.setattr(series_metadata, bound, 1_000_000)
    assert await places(app.archive(None)) == RIGHT
    assert asked(fake) == ["series", "metadata"]


async def test_those_of_slides_are_long() -> None:
    app, fake = over(Modality="SM", TotalPixelMatrixColumns=640, TotalPixelMatrixRows=640)
    await list_images(app.archive(None), PLACE)
    assert asked(fake)[:2] == ["series", "instances"]


async def test_objects_without_pixels_are_left_to_the_search() -> None:
    """So are images of a server that is set up to give the attributes of its index alone."""
    app, fake = over()
    for held in fake.store.instances:
        del held.attributes["7FE00010"]
    assert await places(app.archive(None)) == RIGHT
    assert asked(fake) == ["series", "metadata", "instances"]


def answered(change: Callable[[list[dict[str, Any]]], object]) -> Callable[[OrthancLike], Callable[[Asked], Any]]:
    """The server's metadata after a change."""

    def of(fake: OrthancLike) -> Callable[[Asked], httpx.Response]:
        def answer(_: Asked) -> httpx.Response:
            objects = [dict(held.attributes) for held in fake.store.instances]
            change(objects)
            return httpx.Response(200, content=json.dumps(objects), headers={"Content-Type": DICOM_JSON})

        return answer

    return of


def named(keyword: str, value: str) -> dict[str, Any]:
    return {keyword: {"vr": "UI", "Value": [value]}}


WRONG: dict[str, Any] = {
    "one is missing": answered(lambda found: found.pop()),
    "one comes twice": answered(lambda found: found.append(found.pop(0) and found[0])),
    "of another series": answered(lambda found: found[2].update(named("0020000E", "1.2.3.5"))),
    "of another study": answered(lambda found: found[2].update(named("0020000D", "1.2.4"))),
    "no UID": answered(lambda found: found[2].update(named("00080018", "../etc"))),
    "none": answered(lambda found: found.clear()),
    "no JSON": lambda fake: lambda asked: httpx.Response(200, content=b"<html>", headers={"Content-Type": DICOM_JSON}),
    "not found": lambda fake: 404,
    "not acceptable": lambda fake: 406,
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
async def test_wrong_ones_are_left_to_the_search(what: str) -> None:
    app, fake = over()
    fake.fail(WRONG[what](fake), only=f"{SERIES}/metadata")
    assert await places(app.remembering(None)) == RIGHT
    assert asked(fake) == ["series", "metadata", "instances"]


@pytest.mark.parametrize(("status", "times"), [(404, 1), (500, 2)])
async def test_a_series_that_cannot_be_looked_up_is_searched(status: int, times: int) -> None:
    app, fake = over()
    fake.fail(status, times=times, only=f"{STUDY}/series")
    assert await places(app.archive(None)) == RIGHT
    assert asked(fake) == [*["series"] * times, "instances"]


@pytest.mark.parametrize(("status", "error"), [(403, AccessDenied), (429, Busy)])
async def test_what_a_search_would_meet_as_well_ends_it(status: int, error: type[Exception]) -> None:
    app, fake = over()
    fake.fail(status, times=9, only="/metadata")
    with pytest.raises(error):
        await list_images(app.archive(None), PLACE)
    assert "instances" not in asked(fake)


async def test_a_series_that_is_not_there_is_still_not_found() -> None:
    app, _ = over()
    with pytest.raises(NotFound, match=r"has no series 1\.2\.9 with instances"):
        await list_images(app.archive(None), Place(STUDY, "1.2.9"))
