"""Which image of a series: by slice, position and stack, over every kind of archive, and a folder."""

from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.folder import FolderArchive
from dicomweb_mcp.dicom.geometry import Stack
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services import slices
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.metadata import read_metadata
from dicomweb_mcp.services.slices import Choice, choose, list_images
from dicomweb_mcp.settings import Settings
from fakes.base import Fake
from fakes.dcm4chee import Dcm4chee
from fakes.deaf import Deaf
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from headers import AXIAL, CORONAL, ENHANCED_MR, made
from support import app_over

pytestmark = pytest.mark.anyio

STUDY, SERIES = "1.2.3", "1.2.3.4"
PLACE = Place(STUDY, SERIES)
FAKES = {"google": Google, "idc": Google, "orthanc": OrthancLike, "dcm4chee": Dcm4chee, "generic": Deaf}
SMALL = dcmread(str(get_testdata_file("MR_small.dcm")))


def header(number: int, **values: Any) -> Dataset:
    """A header whose UID tells its place in the made series, and whose InstanceNumber does not."""
    found = made(
        SOPClassUID=str(SMALL.SOPClassUID), Modality="MR", PatientID="P", FrameOfReferenceUID="1.5",
        PixelSpacing=[1, 1], Rows=64, Columns=64, SliceThickness=3, ImageOrientationPatient=list(AXIAL),
    )  # fmt: skip
    found.StudyInstanceUID, found.SeriesInstanceUID, found.SOPInstanceUID = STUDY, SERIES, f"{SERIES}.{number}"
    found.InstanceNumber = number * 7919 % 10_007
    found.add_new("PixelData", "OW", b"")
    for keyword, value in values.items():
        setattr(found, keyword, value)
    return found


def numbered(kinds: Iterable[dict[str, Any]]) -> list[Dataset]:
    return [header(number, **values) for number, values in enumerate(kinds)]


AT = "ImagePositionPatient"
MADE = {
    "times": numbered({AT: [0, 0, 4.0 * z], "TemporalPositionIdentifier": t} for t in (1, 2, 3) for z in range(5)),
    "echoes": numbered({AT: [0, 0, 4.0 * z], "EchoTime": te} for te in (30, 60) for z in range(5)),
    "b-values": numbered({AT: [0, 0, 4.0 * z], "DiffusionBValue": b} for b in (0.0, 1000.0) for z in range(5)),
    "orientations": numbered(
        [{AT: [0, 0, 4.0 * z]} for z in range(5)]
        + [{AT: [0, 4.0 * y, 0], "ImageOrientationPatient": list(CORONAL)} for y in range(3)]
    ),
    "localizer": numbered(
        [{AT: [0, 0, 4.0 * z], "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]} for z in range(5)]
        + [{AT: [0, 0, 500], "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], "Rows": 32}]
    ),
}
STACKS = {
    "times": {"time=1": range(5), "time=2": range(5, 10), "time=3": range(10, 15)},
    "echoes": {"EchoTime=30": range(5), "te=60": range(5, 10)},
    "b-values": {"b=0": range(5), "DiffusionBValue=1000": range(5, 10)},
    "orientations": {"axial": range(5), "coronal": range(5, 8)},
    "localizer": {"1": range(5), "localizer": range(5, 6)},
}


def over(kind: str, objects: list[Dataset]) -> tuple[App, Fake]:
    fake = FAKES[kind](Store(*objects), **({"idc": True} if kind == "idc" else {}))
    return app_over({"pacs": (fake, kind)}), fake


async def chosen(app: App, **wanted: Any) -> Choice:
    asked = {"study_uid": STUDY, "series_uid": SERIES, "instance_uid": None, "frame": None, "slice": None, **wanted}
    return await choose(app, app.archive(None), **asked)


async def refusal(app: App, **wanted: Any) -> str:
    with pytest.raises(BadArgument) as refused:
        await chosen(app, **wanted)
    return str(refused.value)


def places(stack: Stack) -> list[int]:
    return [int(item.instance_uid.rpartition(".")[2]) for item in stack.slices]


@pytest.mark.parametrize("kind", FAKES)
@pytest.mark.parametrize("name", MADE)
async def test_every_kind_of_archive_has_the_same_stacks(kind: str, name: str) -> None:
    """Whether a search says what tells images apart, or their metadata have to be read."""
    app, _ = over(kind, MADE[name])
    archive = app.archive(None)
    for number, (wanted, expected) in enumerate(STACKS[name].items(), start=1):
        for stack in (wanted, number):
            assert places(await (await list_images(archive, PLACE)).walked(stack)) == list(expected)
    assert sorted(places(await (await list_images(archive, PLACE)).walked())) == list(range(len(MADE[name])))


@pytest.mark.parametrize("kind", ["google", "dcm4chee"])
@pytest.mark.parametrize("name", ["times", "orientations", "localizer"])
async def test_positions_are_those_of_get_metadata(kind: str, name: str) -> None:
    app, _ = over(kind, MADE[name])
    geometry = (await read_metadata(app, "pacs", series_uid=SERIES, study_uid=STUDY)).geometry
    rows = geometry.get("stacks", [geometry])
    for number, row in enumerate(rows, start=1):
        stack = await (await list_images(app.archive(None), PLACE)).walked(number)
        assert stack.slices[0].position == row["position_mm"]["first"]
        assert stack.slices[-1].position == row["position_mm"]["last"]
        assert len({item.position for item in stack.slices}) == row["slices"]


async def test_a_slice_of_a_stack_says_which_of_how_many() -> None:
    app, _ = over("google", MADE["echoes"])
    found = await chosen(app, stack="EchoTime=60", slice=2)
    assert found.place.instance_uid == f"{SERIES}.6"
    assert found.how == (
        '2 of 5 in geometric order of stack 2 of 2 (axial, EchoTime=60) chosen by "EchoTime=60", '
        "at 4.00 mm along the normal"
    )
    found = await chosen(app, stack=1)
    assert found.how == (
        "3 of 5 in geometric order of stack 1 of 2 (axial, EchoTime=30), at 8.00 mm along the normal (the middle one)"
    )
    assert found.notes == ()
    found = await chosen(app)
    assert found.how.startswith("5 of 10 in geometric order, at 8.00 mm")
    assert "There are 2 stacks: 1 (axial, EchoTime=30; 5 images of 64 x 64, 0 to 16 mm), 2 (" in found.notes[-1]
    says = await refusal(app, stack="EchoTime=45")
    assert says.startswith("There is no stack EchoTime=45: this series has 2 stacks: 1 (axial, EchoTime=30;")
    says = await refusal(app, stack=2, slice=6)
    assert says.startswith("There is no slice 6 in stack 2 of 2 (axial, EchoTime=60): give 1 to 5")


async def test_the_slice_at_a_position() -> None:
    app, _ = over("google", [*MADE["localizer"][:5]])
    for wanted, number, off in [(8, 2, 0), (9.5, 2, 1.5), (10.25, 3, 1.75), (-2, 0, 2), (18, 4, 2)]:
        found = await chosen(app, position_mm=wanted)
        assert found.place.instance_uid == f"{SERIES}.{number}"
        assert f"at {4 * number:.2f} mm along the normal, {off:.2f} mm from the position asked for" in found.how
    for wanted in (-2.01, 18.01, 1e300, float("nan"), float("-inf")):
        says = await refusal(app, position_mm=wanted)
        assert "the images of this series lie at 0.00 to 16.00 mm along their normal" in says


async def test_a_position_is_one_of_one_stack() -> None:
    app, _ = over("google", MADE["orientations"])
    says = await refusal(app, position_mm=4)
    assert says.startswith("position_mm needs images of one stack in space.")
    assert "2 stacks: 1 (axial; " in says
    assert (await chosen(app, position_mm=4, stack="coronal")).place.instance_uid == f"{SERIES}.6"
    says = await refusal(app, position_mm=40, stack="coronal")
    assert 'the images of stack 2 of 2 (coronal) chosen by "coronal" lie at 0.00 to 8.00 mm' in says


async def test_a_single_image_reaches_as_far_as_it_is_thick() -> None:
    app, _ = over("google", [header(0, ImagePositionPatient=[0, 0, 7])])
    assert "1 of 1 in geometric order, at 7.00 mm" in (await chosen(app, position_mm=8.5)).how
    assert "lie at 7.00 to 7.00 mm" in await refusal(app, position_mm=8.6)
    assert (await chosen(app)).how == "the only image, at 7.00 mm along the normal"


@pytest.mark.parametrize(
    "wanted",
    [
        {"slice": 1, "position_mm": 4.0},
        {"frame": 1, "position_mm": 4.0},
        {"frame": 1, "slice": 1},
        {"frame": 1, "stack": 1},
    ],
)
async def test_one_way_to_choose_at_a_time(wanted: dict[str, Any]) -> None:
    app, _ = over("google", MADE["echoes"])
    first, second = wanted
    assert await refusal(app, **wanted) == f"Give {first} or {second}, not both."


@pytest.mark.parametrize("wanted", [{"slice": 1}, {"position_mm": 4.0}, {"stack": 1}])
async def test_an_instance_is_no_series(wanted: dict[str, Any]) -> None:
    app, _ = over("google", MADE["echoes"])
    says = await refusal(app, instance_uid=f"{SERIES}.1", **wanted)
    assert says.startswith(f"{next(iter(wanted))} is about the images of a series")


def enhanced(number: int, times: Iterable[int], count: int = 4) -> Dataset:
    """Frames by slice, and for each the time points, the last first."""
    spots = [(t, z) for z in range(count) for t in sorted(times, reverse=True)]
    groups = [
        {
            "PlanePositionSequence": {AT: [0, 0, 2.0 * z]},
            "FrameContentSequence": {"TemporalPositionIndex": t},
        }
        for t, z in spots
    ]
    shared = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
        "PixelMeasuresSequence": {"PixelSpacing": [1, 1], "SliceThickness": 2},
    }
    found = made(SharedFunctionalGroupsSequence=shared, PerFrameFunctionalGroupsSequence=groups)
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "Modality", "PatientID"):
        setattr(found, keyword, getattr(header(0), keyword))
    found.SOPClassUID, found.SOPInstanceUID = ENHANCED_MR, f"{SERIES}.{number}"
    found.InstanceNumber, found.NumberOfFrames, found.Rows, found.Columns = number, len(spots), 64, 64
    return found


@pytest.mark.parametrize("kind", FAKES)
async def test_frames_of_an_enhanced_object(kind: str) -> None:
    app, _ = over(kind, [enhanced(1, (1, 2, 3))])
    found = await chosen(app, stack="time=3", slice=2)
    assert (found.frame, found.frames) == (4, 12)
    assert found.how.startswith("2 of 4 in geometric order of stack 3 of 3 (axial, TemporalPositionIndex=3)")
    found = await chosen(app, stack="time=1", position_mm=5.9)
    assert found.frame == 12
    assert "at 6.00 mm along the normal, 0.10 mm from" in found.how
    whole = await (await list_images(app.archive(None), PLACE)).walked()
    assert sorted(item.frame for item in whole.slices) == list(range(1, 13))
    assert "There is no stack 4: this series has 3 stacks" in await refusal(app, stack=4)


async def test_frames_in_several_planes_are_offered_as_stacks() -> None:
    one = enhanced(1, (1,))
    turned = Dataset()
    turned.ImageOrientationPatient = list(CORONAL)
    one.PerFrameFunctionalGroupsSequence[0].PlaneOrientationSequence = [turned]
    app, _ = over("google", [one])
    found = await chosen(app)
    assert found.in_the_middle
    assert any("There are 2 stacks: 1 (axial; 3 images" in note for note in found.notes)


@pytest.mark.parametrize("kind", FAKES)
async def test_frames_of_several_enhanced_objects_are_one_walk(kind: str) -> None:
    app, _ = over(kind, [enhanced(1, (2,)), enhanced(2, (1,))])
    whole = await (await list_images(app.archive(None), PLACE)).walked()
    assert {(item.instance_uid[-1], item.frame) for item in whole.slices} == {
        (uid, frame) for uid in "12" for frame in (1, 2, 3, 4)
    }
    found = await chosen(app, stack="time=1", slice="last")
    assert (found.place.instance_uid, found.frame) == (f"{SERIES}.2", 4)
    assert "at 6.00 mm" in found.how
    assert "has 2 instances" in await refusal(app, frame=1)


async def test_a_cine_among_others_is_shown_by_its_middle_frame() -> None:
    cines = [header(number, NumberOfFrames=9) for number in (1, 2)]
    for cine in cines:
        del cine.ImageOrientationPatient
    app, _ = over("google", cines)
    found = await chosen(app, slice=2)
    assert (found.frame, found.in_the_middle) == (5, True)
    assert found.how == "2 of 2 in the order of InstanceNumber"


@pytest.mark.parametrize(
    ("kind", "requests"), [("google", 0), ("idc", 0), ("orthanc", 1), ("dcm4chee", 1), ("generic", 1)]
)
async def test_metadata_are_read_only_where_a_search_does_not_tell(kind: str, requests: int) -> None:
    app, fake = over(kind, MADE["echoes"])
    await list_images(app.archive(None), PLACE)
    assert sum("/metadata" in asked for asked in fake.paths) == requests


async def test_of_very_many_images_the_search_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "MOST_METADATA", 9)
    app, fake = over("dcm4chee", MADE["echoes"])
    assert sorted(places(await (await list_images(app.archive(None), PLACE)).walked())) == list(range(10))
    assert not [asked for asked in fake.paths if "/metadata" in asked]


async def test_a_folder(tmp_path: Path) -> None:
    for one in MADE["times"]:
        changed = deepcopy(SMALL)
        changed.update(one)
        changed.file_meta.MediaStorageSOPInstanceUID = one.SOPInstanceUID
        changed.save_as(tmp_path / f"{one.SOPInstanceUID}.dcm")
    configured = Settings.model_validate({"archives": [{"name": "mine", "path": str(tmp_path)}]})
    cache = tmp_path / "cache"
    app = App(configured, lambda found: FolderArchive(found.name, tmp_path, cache_folder=cache))
    for wanted, expected in STACKS["times"].items():
        assert places(await (await list_images(app.archive(None), PLACE)).walked(wanted)) == list(expected)
    assert (await chosen(app, stack="time=2", position_mm=11)).place.instance_uid == f"{SERIES}.8"


@pytest.mark.parametrize(
    ("sop_class", "says"),
    [
        (
            "1.2.840.10008.5.1.4.1.1.104.1",
            "(Encapsulated PDF Storage) has no pixels to show: describe_object reads it.",
        ),
        ("1.2.840.10008.5.1.4.1.1.66", "(Raw Data Storage) has no pixels to show: read it with get_metadata."),
    ],
)
async def test_what_has_no_pixels_names_the_tool_that_reads_it(sop_class: str, says: str) -> None:
    one = header(1, SOPClassUID=sop_class)
    del one.Rows, one.Columns, one.PixelData
    assert says in await refusal(app_over({"pacs": (Google(Store(one)), "google")}), series_uid=SERIES)
