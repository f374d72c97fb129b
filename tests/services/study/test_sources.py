"""What an object was made from, over servers that return sequences in searches, and that do not."""

import pytest

from dicomweb_mcp.services.study import links
from fakes.deaf import Deaf
from fakes.store import Store
from services.study.related_helpers import (
    CT,
    CT2,
    FRAME,
    KINDS,
    SEG,
    STUDY,
    image,
    images,
    instance,
    item,
    of_series,
    one,
    over,
    related,
    sources_of,
)
from support import app_over

pytestmark = pytest.mark.anyio


@KINDS
async def test_a_series_that_is_named_is_found(kind: str) -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT), FrameOfReferenceUID=FRAME)
    _, archive, _ = over(kind, *images(SeriesDescription="Thorax"), seg)
    [found] = await sources_of(archive, seg)
    assert found["evidence"] == "ReferencedSeriesSequence"
    assert (found["StudyInstanceUID"], found["SeriesInstanceUID"], found["in_archive"]) == (STUDY, CT, True)
    assert (found["Modality"], found["SeriesDescription"], found["instances"]) == ("CT", "Thorax", 1)


@KINDS
async def test_images_without_a_series_are_looked_up(kind: str) -> None:
    seg = one("SEG", SEG, SourceImageSequence=[instance(f"{CT}.{n}") for n in (1, 2, 3)], FrameOfReferenceUID=FRAME)
    _, archive, fake = over(kind, *images(), *images(CT2), seg)
    [found] = await sources_of(archive, seg)
    assert (found["SeriesInstanceUID"], found["instances"], found["in_archive"]) == (CT, 3, True)
    assert (found["evidence"], found["purpose"]) == ("SourceImageSequence", "source image")
    assert len(fake.requests) <= 5  # the study's series, one instance, its series; the ends of both lists


async def test_images_of_two_series_are_told_apart() -> None:
    seg = one("SEG", SEG, SourceImageSequence=[instance(f"{CT}.1"), instance(f"{CT2}.1"), instance(f"{CT2}.2")])
    _, archive, _ = over("google", *images(), *images(CT2), seg)
    assert {row["SeriesInstanceUID"]: row["instances"] for row in await sources_of(archive, seg)} == {CT: 1, CT2: 2}


@KINDS
async def test_a_series_that_is_not_there_is_said_to_be_missing(kind: str) -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT))
    _, archive, _ = over(kind, seg)
    [found] = await sources_of(archive, seg)
    assert found["SeriesInstanceUID"] == CT
    assert found["in_archive"] is False


@pytest.mark.parametrize("named", ["ReferencedSeriesSequence", "SourceImageSequence"])
async def test_an_archive_that_does_not_search_by_uid_leaves_it_open(named: str) -> None:
    what = of_series(CT) if named == "ReferencedSeriesSequence" else [instance(f"{CT}.1")]
    seg = one("SEG", SEG, **{named: what})
    fake = Deaf(Store(*images(CT2), seg), ignores={"SeriesInstanceUID", "SOPInstanceUID"})
    [found] = await sources_of(app_over({"pacs": (fake, "generic")}).archive("pacs"), seg)
    assert found["in_archive"] is None


async def test_an_instance_that_is_not_there() -> None:
    seg = one("SEG", SEG, SourceImageSequence=[instance(f"{CT}.{n}") for n in range(1, 40)])
    _, archive, fake = over("google", seg)
    [found] = await sources_of(archive, seg)
    assert found["in_archive"] is False
    assert found["instances"] == links.MOST_MISSING
    assert "of 37 more it is not known" in found["note"]
    assert found["SOPInstanceUID"] == f"{CT}.1"
    assert "SeriesInstanceUID" not in found
    assert len(fake.requests) <= 1 + 2 * links.MOST_MISSING


async def test_those_after_some_that_are_not_there_may_be_there() -> None:
    """The first two references lead nowhere, the third to an image that the archive has in another study."""
    seg = one("SEG", SEG, SourceImageSequence=[instance(uid) for uid in ("9.9.1", "9.9.2", f"{CT}.1")])
    _, archive, _ = over("google", image(CT, study_uid="1.2.9"), image(CT2), seg)
    [found] = await sources_of(archive, seg)
    assert (found["in_archive"], found["instances"]) == (False, 2)
    assert "of 1 more it is not known" in found["note"]
    [unrelated] = (await related(archive, CT2)).unrelated
    assert unrelated["refers_to"] == ["2 instances not in the archive; of 1 more it is not known"]


async def test_two_that_are_not_there_were_both_looked_for() -> None:
    seg = one("SEG", SEG, SourceImageSequence=[instance(f"{CT}.{n}") for n in (1, 2)])
    _, archive, _ = over("google", seg)
    [found] = await sources_of(archive, seg)
    assert (found["in_archive"], found["instances"]) == (False, 2)
    assert found["note"] == "2 instances, this one among them"


async def test_instances_that_were_not_looked_for_are_not_said_to_be_missing() -> None:
    named = [f"{CT}.1", "9.9.1", "9.9.2", "9.9.3", f"{CT2}.1"]
    seg = one("SEG", SEG, SourceImageSequence=[instance(uid) for uid in named])
    _, archive, _ = over("dcm4chee", *images(CT), *images(CT2), seg)
    found = await sources_of(archive, seg)
    assert sum(row["instances"] for row in found) == len(named)
    for row in found:
        if row["in_archive"] is False:
            assert row["instances"] == 2
            assert row["SOPInstanceUID"].startswith("9.9.")


@pytest.mark.parametrize("kind", ["google", "orthanc"])
async def test_a_source_in_another_study_is_said_to_be_there(kind: str) -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series("1.7.1"))
    _, archive, _ = over(kind, seg, one("CT", "1.7.1", study_uid="1.7"))
    [found] = await sources_of(archive, seg)
    assert (found["StudyInstanceUID"], found["in_archive"], found["note"]) == ("1.7", True, "in another study")


async def test_the_study_that_an_object_names_is_kept() -> None:
    other = item(StudyInstanceUID="1.7", ReferencedSeriesSequence=of_series("1.7.1"))
    seg = one("SEG", SEG, StudiesContainingOtherReferencedInstancesSequence=[other])
    _, archive, _ = over("orthanc", seg)
    [found] = await sources_of(archive, seg)
    assert (found["StudyInstanceUID"], found["in_archive"], found["note"]) == ("1.7", False, "in another study")


@KINDS
async def test_a_frame_of_reference_of_one_series_is_a_weak_hint(kind: str) -> None:
    seg = one("SEG", SEG, FrameOfReferenceUID=FRAME)
    scout = image("1.2.1.9", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    _, archive, _ = over(kind, *images(), *images(CT2, frame="1.2.6"), scout, seg)
    [found] = await sources_of(archive, seg)
    assert found["SeriesInstanceUID"] == CT
    assert found["in_archive"] is True
    assert "FrameOfReferenceUID" in found["evidence"]
    assert "weak" in found["evidence"]


@KINDS
async def test_a_frame_of_reference_of_two_series_decides_nothing(kind: str) -> None:
    seg = one("SEG", SEG, FrameOfReferenceUID=FRAME)
    _, archive, _ = over(kind, *images(), *images(CT2), seg)
    [found] = await sources_of(archive, seg)
    assert "SeriesInstanceUID" not in found
    assert found["in_archive"] is None
    assert sorted(found["candidates"]) == [CT, CT2]
    assert found["note"].startswith("2 image series of the study have it")


async def test_a_frame_of_reference_decides_nothing_while_a_series_is_unknown() -> None:
    seg = one("SEG", SEG, FrameOfReferenceUID=FRAME)
    _, archive, fake = over("google", *images(), *images(CT2), seg)
    fake.fail(404, only=f"/series/{CT2}")
    [found] = await sources_of(archive, seg)
    assert "SeriesInstanceUID" not in found
    assert found["candidates"] == [CT]
    assert "of 1 more series it is not known" in found["note"]


async def test_an_archive_that_breaks_leaves_what_the_object_says() -> None:
    seg = one("SEG", SEG, ReferencedSeriesSequence=of_series(CT))
    _, archive, fake = over("google", *images(), seg)
    fake.fail(403, times=100)
    [found] = await sources_of(archive, seg)
    assert (found["SeriesInstanceUID"], found["in_archive"]) == (CT, None)


async def test_an_image_that_names_nothing_has_no_sources_and_asks_nothing() -> None:
    _, archive, fake = over("google", *images())
    assert await sources_of(archive, image(CT)) == []
    assert fake.requests == []
