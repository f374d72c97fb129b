"""Stored frames and values of attributes as files, held against pydicom."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.archives.base import ArchiveError, NotFound
from fakes.google import Google
from fakes.store import Store
from services.retrieve.helpers import Serving, fetched, found, outcomes, reasons

pytestmark = pytest.mark.anyio
NAMES = {
    "SC_rgb_rle_2frame.dcm": "rle",
    "SC_rgb_jpeg_dcmtk.dcm": "jpg",
    "JPEG-lossy.dcm": "jpg",
    "JPEG2000.dcm": "j2k",
    "MR_small_jpeg_ls_lossless.dcm": "jls",
    "CT_small.dcm": "raw",
    "rtdose.dcm": "raw",
}


@pytest.mark.parametrize("name", NAMES)
async def test_frames_are_the_stored_bytes(tmp_path: Path, name: str) -> None:
    data = dcmread(SAMPLES / name)
    count = int(data.get("NumberOfFrames", 1))
    numbers = list(dict.fromkeys([2, count, 1])) if count > 1 else [1]
    uid, syntax = data.SOPInstanceUID, data.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        frames = list(generate_frames(data.PixelData, number_of_frames=count))
    else:
        size = data.Rows * data.Columns * data.SamplesPerPixel * data.BitsAllocated // 8
        frames = [data.PixelData[n * size : (n + 1) * size] for n in range(count)]
    result = await fetched(Google(Store.shipped(name)), "google", tmp_path, instance_uids=[uid], frames=numbers)
    assert outcomes(result) == {"retrieved": len(numbers)}, reasons(result)
    there = found(tmp_path / "in")
    assert sorted(there) == sorted(f"{uid}_frame_{number}.{NAMES[name]}" for number in numbers)
    for number in numbers:
        arrived = there[f"{uid}_frame_{number}.{NAMES[name]}"]
        assert arrived == frames[number - 1], number
    assert result.bytes == sum(map(len, there.values()))
    again = await fetched(Google(Store.shipped(name)), "google", tmp_path, instance_uids=[uid], frames=numbers)
    assert outcomes(again) == {"already_there": len(numbers)}


async def test_another_file_under_a_frame_s_name_is_kept(tmp_path: Path) -> None:
    uid = dcmread(SAMPLES / "CT_small.dcm").SOPInstanceUID
    (tmp_path / "in").mkdir()
    mine = tmp_path / f"in/{uid}_frame_1.raw"
    mine.write_bytes(b"mine")
    fake = Google(Store.shipped("CT_small.dcm"))
    result = await fetched(fake, "google", tmp_path, instance_uids=[uid], frames=[1])
    assert outcomes(result) == {"different": 1}
    assert mine.read_bytes() == b"mine"
    with pytest.raises(ArchiveError, match="has frames 1 to 1"):
        await fetched(fake, "google", tmp_path, instance_uids=[uid], frames=[2])


async def test_a_frame_that_is_not_there_costs_itself_alone(tmp_path: Path) -> None:
    uid = dcmread(SAMPLES / "rtdose.dcm").SOPInstanceUID
    result = await fetched(
        Google(Store.shipped("rtdose.dcm")), "google", tmp_path, instance_uids=[uid], frames=[1, 99, 2]
    )
    assert outcomes(result) == {"retrieved": 2, "failed": 1}
    assert set(found(tmp_path / "in")) == {f"{uid}_frame_{number}.raw" for number in (1, 2)}
    assert list(reasons(result)) == [f"{uid} frame 99"]


async def test_values_by_their_path(tmp_path: Path) -> None:
    """A document behind a BulkDataURI, a short value in the metadata, and one within a sequence."""
    document, short, inner = b"%PDF-1.4 " + bytes(5_000), b"\1\2\3\4", bytes(range(256)) * 20
    item = Dataset()
    item.add_new(0x00420011, "OB", inner)
    made = make_file(
        tmp_path / "a.dcm", "1.2", "1.2.1", "1.2.1.1",
        EncapsulatedDocument=document + b"\0", IconImageSequence=[Dataset(), item], RedPaletteColorLookupTableData=short,
    )  # fmt: skip
    expected = {
        "00420011": ("1.2.1.1_00420011.pdf", document + b"\0"),
        "bulkdata/00281201": ("1.2.1.1_00281201.bin", short),
        "00880200/1/00420011": ("1.2.1.1_00880200_1_00420011.bin", inner),
    }
    for path, (name, data) in expected.items():
        fake = Google(Store.files(made))
        result = await fetched(fake, "google", tmp_path, f"in {name}", instance_uids=["1.2.1.1"], bulk_path=path)
        assert outcomes(result) == {"retrieved": 1}
        assert found(tmp_path / f"in {name}") == {name: data}
        assert [one.name for one in result.written] == [name]
    for path in ("00880200/0/00420011", "00880200/2/00420011", "00100010", "00420012"):
        with pytest.raises(NotFound, match="has no bytes at"):
            await fetched(Google(Store.files(made)), "google", tmp_path, instance_uids=["1.2.1.1"], bulk_path=path)


async def test_a_value_that_the_archive_keeps_to_itself_comes_from_the_file(tmp_path: Path) -> None:
    """Its metadata leave the attribute out, as Google's do with large sequences."""
    made = make_file(tmp_path / "a.dcm", "1.2", "1.2.1", "1.2.1.1", EncapsulatedDocument=bytes(3_000))
    fake = Serving(Store.files(made))
    del fake.store.instances[0].attributes["00420011"]
    result = await fetched(fake, "dcm4chee", tmp_path, instance_uids=["1.2.1.1"], bulk_path="00420011")
    assert outcomes(result) == {"retrieved": 1}
    assert found(tmp_path / "in") == {"1.2.1.1_00420011.bin": bytes(3_000)}
    assert fake.files_asked == ["/studies/1.2/series/1.2.1/instances/1.2.1.1"]


@pytest.mark.parametrize(
    ("name", "kind", "wanted", "has"),
    [("CT_small.dcm", "google", [3, 9], "1 to 1"), ("rtdose.dcm", "dcm4chee", [99], "1 to 15")],
)
async def test_frames_that_there_are_not_tell_how_many_there_are(
    tmp_path: Path, name: str, kind: str, wanted: list[int], has: str
) -> None:
    fake = (Google if kind == "google" else Serving)(Store.shipped(name))
    uid = dcmread(SAMPLES / name).SOPInstanceUID
    with pytest.raises(NotFound) as refused:
        await fetched(fake, kind, tmp_path, instance_uids=[uid], frames=wanted)
    numbers = ", ".join(map(str, wanted))
    assert str(refused.value) == f"Archive pacs: has no frame {numbers} of this instance, which has frames {has}."


async def test_a_frame_that_there_is_not_costs_the_others_nothing(tmp_path: Path) -> None:
    fake = Google(Store.shipped("rtdose.dcm"))
    uid = dcmread(SAMPLES / "rtdose.dcm").SOPInstanceUID
    result = await fetched(fake, "google", tmp_path, instance_uids=[uid], frames=[1, 99])
    assert outcomes(result) == {"retrieved": 1, "failed": 1}
    assert reasons(result) == {f"{uid} frame 99": "there is no such frame: this instance has frames 1 to 15"}
