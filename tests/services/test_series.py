"""How the metadata of a series is read: with few small requests, whole or as a sample, and never as more than it is."""

from typing import Any

import httpx
import numpy as np
import pytest
from pydicom import Dataset
from pydicom.data import get_testdata_file
from pydicom.filereader import dcmread

from dicomweb_mcp.archives.base import NotFound, Place
from dicomweb_mcp.dicom.summary.fields import parse_fields
from dicomweb_mcp.services import paging
from dicomweb_mcp.services import series as reading
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.left_out import MOST_FILES
from dicomweb_mcp.services.metadata import Metadata, read_metadata
from dicomweb_mcp.services.series import MOST_READ, SAMPLE, Wanted, read_instances, spread
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from support import app_over

pytestmark = pytest.mark.anyio
STUDY, SERIES = "1.2.3", "1.2.3.4"
PLACE = Place(STUDY, SERIES)
FAKES = {"google": Google, "idc": Google, "orthanc": OrthancLike, "dcm4chee": Dcm4chee, "generic": Deaf}
KEPT = (
    "SOPClassUID", "Modality", "PatientID", "StudyID", "Manufacturer", "ImageType", "KVP", "XRayTubeCurrent",
    "ImageOrientationPatient", "FrameOfReferenceUID", "PixelSpacing", "Rows", "Columns",
)  # fmt: skip
HEADER = dcmread(str(get_testdata_file("CT_small.dcm")), specific_tags=[*KEPT, "00190010", "00191002"])


def slice_of(number: int, **values: Any) -> Dataset:
    """One of a stack of axial slices, 2.5 mm apart, whose InstanceNumber says nothing about its place."""
    made = Dataset()
    made.update(HEADER)
    made.StudyInstanceUID, made.SeriesInstanceUID, made.SOPInstanceUID = STUDY, SERIES, f"{SERIES}.{number}"
    made.InstanceNumber = number * 7919 % 10_007
    made.ImagePositionPatient = [-10, -20, 2.5 * number]
    made.SliceLocation = 2.5 * number
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def over(kind: str, objects: list[Dataset], **more: Any) -> tuple[App, Fake]:
    fake = FAKES[kind](Store(*objects), **({"idc": True} if kind == "idc" else {}), **more)
    return app_over({"pacs": (fake, kind)}), fake


async def read(app: App, **asked: Any) -> Metadata:
    return await read_metadata(app, "pacs", **asked)


KINDS = pytest.mark.parametrize("kind", FAKES)


@KINDS
async def test_every_kind_of_archive_gives_the_same_answer(kind: str) -> None:
    app, _ = over(kind, [slice_of(number) for number in range(1, 31)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    summary = found.reading.summary
    assert (found.reading.total, found.reading.sampled) == (30, False)
    assert found.geometry["regular_volume"] is True
    assert found.geometry["spacing_mm"] == 2.5
    assert found.geometry["slices"] == 30
    assert (summary.constant["KVP"], summary.units["KVP"]) == (120, "kV")
    assert (
        summary.varying["SliceLocation"].startswith("2.5..75, step 2.5 mm")
        or "step 2.5" in summary.varying["SliceLocation"]
    )
    assert any("120 kV" in phrase for phrase in found.acquisition)


@pytest.mark.parametrize("kind", ["google", "idc"])
async def test_an_archive_that_returns_any_attribute_is_asked_for_the_usual_ones_alone(kind: str) -> None:
    app, fake = over(kind, [slice_of(number) for number in range(1, 31)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    asked = [request.path for request in fake.requests]
    assert not [path for path in asked if path.endswith("/metadata")]
    assert len(asked) == 2, "the series, and its instances"
    assert any('fields=["all"]' in note for note in found.reading.notes)
    assert "StudyID" not in found.reading.summary.constant
    everything = await read(app, study_uid=STUDY, series_uid=SERIES, fields=["all"])
    assert everything.reading.summary.constant["StudyID"] == HEADER.StudyID


@pytest.mark.parametrize("kind", ["orthanc", "dcm4chee", "generic"])
async def test_others_are_asked_for_their_metadata_once(kind: str) -> None:
    app, fake = over(kind, [slice_of(number) for number in range(1, 31)])
    await read(app, study_uid=STUDY, series_uid=SERIES)
    assert len([request for request in fake.requests if request.path.endswith("/metadata")]) == 1


async def test_wanted_fields_alone_are_asked_for() -> None:
    app, fake = over("google", [slice_of(number) for number in range(1, 4)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES, fields=["KVP", "SliceLocation"])
    assert found.reading.summary.constant == {"KVP": 120}
    assert found.reading.summary.varying.keys() == {"SliceLocation"}
    assert (found.geometry, found.acquisition) == ({}, [])
    fields = fake.requests[-1].one("includefield") or ""
    assert set(fields.split(",")) >= {"KVP", "SliceLocation"}
    assert "ImagePositionPatient" not in fields


async def test_private_attributes_are_read_from_the_metadata() -> None:
    app, fake = over("google", [slice_of(1), slice_of(2)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES, fields=["GEMS_ACQU_01 0019xx02"])
    assert len(found.reading.summary.constant) + len(found.reading.summary.elided) == 1
    assert fake.requests[-1].path.endswith("/metadata")


def diffusion(number: int, creator: str = "", block: int = 0x10, value: str = "") -> Dataset:
    """An MR image without a diffusion gradient, or with a b-value in a private block that Siemens has reserved."""
    made = slice_of(number, Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4", ScanningSequence="SE")
    if creator:
        made.add_new((0x0019, block), "LO", creator)
    if value:
        made.add_new((0x0019, block * 256 + 0x0C), "IS", value)
    return made


SIEMENS = "SIEMENS MR HEADER"
UNWEIGHTED = {
    "no private block": diffusion(1),
    "no private value": diffusion(1, SIEMENS),
    "a value of 0": diffusion(1, SIEMENS, value="0"),
    "another block": diffusion(1, "SIEMENS MR OTHER", value="7"),
}


@pytest.mark.parametrize("kind", ["orthanc", "dcm4chee", "generic"])
@pytest.mark.parametrize("first", UNWEIGHTED)
async def test_private_b_values_are_told_also_where_the_first_image_has_none(kind: str, first: str) -> None:
    weighted = [diffusion(number, SIEMENS, 0x11, str(400 * number)) for number in (2, 3)]
    app, _ = over(kind, [UNWEIGHTED[first], *weighted])
    told = (await read(app, study_uid=STUDY, series_uid=SERIES)).acquisition
    assert any(f"b-values only in private attributes: (0019,110C) of {SIEMENS}" in phrase for phrase in told)
    field = f"{SIEMENS} 0019xx0C"
    assert any(f"fields=['{field}']" in phrase for phrase in told)
    values = (await read(app, study_uid=STUDY, series_uid=SERIES, fields=[field])).reading.summary.varying
    assert any("1200" in words for words in values.values())


async def test_a_localizer_with_a_private_b_value_stands_for_no_image() -> None:
    localizer = diffusion(1, SIEMENS, value="800")
    localizer.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    app, _ = over("generic", [localizer, diffusion(2), diffusion(3)])
    assert "private" not in " ".join((await read(app, study_uid=STUDY, series_uid=SERIES)).acquisition)


@pytest.mark.parametrize("kind", ["orthanc", "dcm4chee", "generic"])
async def test_fewer_instances_than_the_archive_says_it_has_are_no_regular_volume(kind: str) -> None:
    fake = FAKES[kind](Store(*[slice_of(number) for number in range(1, 31)]))

    def some(request: httpx.Request) -> httpx.Response:
        answer = fake(request)
        if not request.url.path.endswith("/metadata"):
            return answer
        return httpx.Response(200, json=answer.json()[:12], headers={"Content-Type": "application/dicom+json"})

    found = await read(app_over({"pacs": (some, kind)}), study_uid=STUDY, series_uid=SERIES)
    assert any("30 instances" in note and "12" in note for note in found.reading.notes)
    assert found.geometry["regular_volume"] is None


async def test_rows_of_a_search_that_was_not_read_to_its_end_are_no_regular_volume(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "PAGE", 12)
    monkeypatch.setattr(paging, "MOST_PAGES", 1)
    app, _ = over("google", [slice_of(number) for number in range(1, 31)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    assert found.reading.total == 12
    assert any("Only the first 12 rows" in note for note in found.reading.notes)
    assert found.geometry["regular_volume"] is None


async def test_the_acquisition_is_that_of_the_images() -> None:
    report = slice_of(0, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Modality="SR", ContentSequence=[Dataset()])
    localizer = slice_of(1, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], KVP=80)
    app, _ = over("dcm4chee", [report, localizer, slice_of(2), slice_of(3)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    assert found.reading.first is not None
    assert found.reading.first["00080018"]["Value"] == [f"{SERIES}.2"]


async def test_fields_of_a_study_are_said_to_be_of_all_its_series() -> None:
    app, _ = over("orthanc", [slice_of(1), slice_of(2, SeriesInstanceUID="1.2.3.5", KVP=80)])
    found = await read(app, study_uid=STUDY, fields=["KVP"])
    assert found.reading.summary.varying["KVP"] == "80 kV (1), 120 kV (1)"
    assert any("all series of the study" in note for note in found.reading.notes)


# ---- many instances


@KINDS
@pytest.mark.parametrize("more", [0, 1])
async def test_above_a_limit_a_sample_is_read_and_said_to_be_one(
    kind: str, more: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_READ", 60)
    monkeypatch.setattr(reading, "PAGE", 25)
    app, fake = over(kind, [slice_of(number, EchoTime=number) for number in range(1, 61 + more)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    assert found.reading.total == 60 + more
    assert found.reading.sampled is bool(more)
    assert found.reading.summary.instances == (SAMPLE if more else 60)
    notes = " ".join(found.reading.notes)
    assert (f"{SAMPLE} of 61 instances" in notes) is bool(more)
    assert (found.geometry["regular_volume"], found.geometry["slices"]) == (True, 60 + more)
    if more:
        singly = [request for request in fake.requests if "/instances/" in request.path]
        assert len(singly) == SAMPLE


async def test_a_sample_without_all_positions_gives_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_READ", 60)
    slices = [slice_of(number) for number in range(1, 100)]
    del slices[50].ImagePositionPatient
    app, _ = over("orthanc", slices)
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    assert found.geometry["regular_volume"] is None
    assert "positions of some images" in found.geometry["verdict"]


async def test_a_gap_that_the_sample_misses_is_found_in_the_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_READ", 60)
    app, _ = over("orthanc", [slice_of(number) for number in range(1, 102) if number != 77])
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    assert found.geometry["regular_volume"] is False
    assert "missing" in found.geometry["verdict"]


async def test_instances_of_a_sample_that_fail_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_READ", 60)
    app, fake = over("dcm4chee", [slice_of(number) for number in range(1, 100)])
    fake.fail(404, times=3, only="/instances/")
    found = await read(app, study_uid=STUDY, series_uid=SERIES)
    assert found.reading.summary.instances == SAMPLE - 3
    assert any(note.startswith("3 instances of the sample could not be read") for note in found.reading.notes)


async def test_a_long_series_is_not_fetched_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Google does not say how many instances a series has: it is asked after the first page."""
    monkeypatch.setattr(reading, "MOST_READ", 100)
    monkeypatch.setattr(reading, "PAGE", 25)
    app, fake = over("google", [slice_of(number) for number in range(1, 140)])
    await read(app, study_uid=STUDY, series_uid=SERIES)
    wide = [request for request in fake.requests if "ConvolutionKernel,KVP" in (request.one("includefield") or "")
            or "Manufacturer" in (request.one("includefield") or "")]  # fmt: skip
    assert len(wide) == 1


@pytest.mark.parametrize("more", [0, 1])
async def test_nothing_else_is_asked_while_metadata_arrive(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether there are too many instances is asked before: two such calls could else wait for each other."""
    monkeypatch.setattr(reading, "MOST_READ", 60)
    monkeypatch.setattr(reading, "PAGE", 25)
    app, fake = over("idc", [slice_of(number) for number in range(1, 61 + more)])
    found = await read(app, study_uid=STUDY, series_uid=SERIES, fields=["all"])
    assert found.reading.sampled is bool(more)
    paths = [request.path for request in fake.requests]
    whole = [place for place, path in enumerate(paths) if path.endswith(f"/series/{SERIES}/metadata")]
    assert whole == ([] if more else [len(paths) - 1])


def test_a_sample_has_both_ends() -> None:
    assert spread(range(5), 40) == [0, 1, 2, 3, 4]
    found = spread(range(91_980), SAMPLE)
    assert (len(found), found[0], found[-1]) == (SAMPLE, 0, 91_979)
    assert max(np.diff(found)) - min(np.diff(found)) <= 1
    assert MOST_READ == 2_000


# ---- what Google leaves out


def with_large_sequence(number: int = 1) -> Dataset:
    """Multi-frame, its per-frame groups over 1 MiB of JSON."""
    made = slice_of(number)
    del made.ImagePositionPatient, made.ImageOrientationPatient, made.SliceLocation
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    made.NumberOfFrames = 300
    shared, orientation, measures = Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    measures.PixelSpacing, measures.SliceThickness = [0.5, 0.5], 2.5
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    made.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for frame in range(300):
        group, position, content = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [-10, -20, 2.5 * frame]
        content.FrameComments = "x" * 4_000
        group.PlanePositionSequence, group.FrameContentSequence = [position], [content]
        groups.append(group)
    made.PerFrameFunctionalGroupsSequence = groups
    made.Rows, made.Columns, made.BitsAllocated = 1, 1, 8
    made.add_new("PixelData", "OB", bytes(300))
    return made


@pytest.fixture(scope="module")
def large() -> Dataset:
    return with_large_sequence()


@pytest.mark.parametrize("asked", [{"series_uid": SERIES}, {"series_uid": SERIES, "instance_uid": f"{SERIES}.1"}])
async def test_a_sequence_that_was_left_out_is_named(asked: dict[str, str], large: Dataset) -> None:
    app, fake = over("google", [large])
    found = await read(app, study_uid=STUDY, **asked)
    assert any("PerFrameFunctionalGroupsSequence" in note for note in found.reading.notes)
    assert found.geometry["regular_volume"] is None
    assert not [request for request in fake.requests if request.accept and "application/dicom;" in request.accept]


@pytest.mark.parametrize("asked", [{"series_uid": SERIES}, {"series_uid": SERIES, "instance_uid": f"{SERIES}.1"}])
async def test_a_sequence_that_was_left_out_is_read_when_it_is_asked_for(asked: dict[str, str], large: Dataset) -> None:
    app, _ = over("google", [large])
    path = "PerFrameFunctionalGroupsSequence.PlanePositionSequence.ImagePositionPatient"
    found = await read(app, study_uid=STUDY, fields=[path], **asked)
    assert "747.5" in str(found.reading.summary.constant[path])


async def test_a_sequence_that_exists_nowhere_costs_one_file() -> None:
    app, fake = over("google", [slice_of(number) for number in range(1, 20)])
    path = "RequestAttributesSequence.ScheduledProcedureStepID"
    found = await read(app, study_uid=STUDY, series_uid=SERIES, fields=[path])
    assert found.reading.summary.missing == {path: "no value"}
    files = [request for request in fake.requests if 'type="application/dicom"' in (request.accept or "")]
    assert len(files) == 1 < MOST_FILES


async def test_an_empty_place_is_not_found() -> None:
    app, _ = over("google", [slice_of(1)])
    with pytest.raises(NotFound):
        await read_instances(app.archive("pacs"), Place("9.9", "9.9.9"), Wanted(parse_fields(None)))
