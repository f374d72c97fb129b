"""Native pixels that are not as long as their attributes say: named where they are the archive's own, else refused."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.dicom.uids import DEFLATED
from dicomweb_mcp.services.retrieve.arrived import identify
from fakes.google import Google
from fakes.store import Store
from services.retrieve.helpers import Serving, fetched, found, outcomes, reasons

pytestmark = pytest.mark.anyio
STUDY, SERIES = "1.2", "1.2.1"
IMAGE = {"Rows": 3, "Columns": 5, "BitsAllocated": 16, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
LAYOUTS = {  # attributes -> bytes of the value, by PS3.5 8.1.1 and 8.2, without the byte that makes it even
    "words": ({}, 30),
    "frames": ({"NumberOfFrames": 3}, 90),
    "odd": ({"BitsAllocated": 8}, 15),
    "colour": ({"BitsAllocated": 8, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, 45),
    "shared colour": ({"BitsAllocated": 8, "Columns": 6, "SamplesPerPixel": 3,
                       "PhotometricInterpretation": "YBR_FULL_422"}, 36),
    "bits": ({"BitsAllocated": 1}, 2),
    "bits over frames": ({"BitsAllocated": 1, "NumberOfFrames": 5}, 10),  # 75 bits
    "no frames": ({"NumberOfFrames": None}, 30),
}  # fmt: skip


def native_samples() -> list[Path]:
    """Image files of pydicom with native pixels that are there to their end."""
    kept = []
    for path in sorted(SAMPLES.resolve().glob("*.dcm")):
        try:
            data = dcmread(path)
            if not data.file_meta.TransferSyntaxUID.is_encapsulated and "PixelData" in data and data.StudyInstanceUID:
                get_expected_length(data)
                kept.append(path)
        except Exception:  # made to be unreadable
            continue
    return [path for path in kept if path.name not in ("MR_truncated.dcm", "badVR.dcm")]


@pytest.mark.parametrize("path", native_samples(), ids=lambda path: path.name)
def test_real_files_are_doubted_when_pydicom_expects_another_length(path: Path) -> None:
    data = dcmread(path)
    due = get_expected_length(data)
    is_right = len(data.PixelData) in (due, due + due % 2)
    assert ("bytes of pixels" in identify(path).doubt) == (not is_right), identify(path).doubt


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DEFLATED])
@pytest.mark.parametrize("name", LAYOUTS)
def test_the_length_is_that_of_all_frames(tmp_path: Path, name: str, syntax: str) -> None:
    more, due = LAYOUTS[name]
    attributes = {key: value for key, value in {**IMAGE, **more}.items() if value is not None}
    even = due + due % 2
    for length in (even, even - 2, even + 2):
        path = tmp_path / f"{length}.dcm"
        make_file(path, STUDY, SERIES, "1.2.1.1", syntax, **attributes, PixelData=bytes(length))
        said = identify(path).doubt
        if length == even:
            assert said == ""
        else:
            assert f"{length:,} bytes of pixels" in said
            assert f"{due:,}" in said


@pytest.mark.parametrize(("keyword", "size"), [("FloatPixelData", 4), ("DoubleFloatPixelData", 8)])
def test_pixels_of_floating_point_numbers(tmp_path: Path, keyword: str, size: int) -> None:
    attributes = {**IMAGE, "BitsAllocated": None}
    for length, is_right in ((15 * size, True), (14 * size, False)):
        path = make_file(tmp_path / f"{length}.dcm", STUDY, SERIES, "1.2.1.1", **attributes, **{keyword: bytes(length)})
        assert (identify(path).doubt == "") == is_right


def test_what_cannot_be_compared_is_not_doubted(tmp_path: Path) -> None:
    """Compressed, without the attributes of an image, and no image at all."""
    plain = make_file(tmp_path / "a.dcm", STUDY, SERIES, "1.2.1.1", PixelData=bytes(500))
    report = make_file(tmp_path / "b.dcm", STUDY, SERIES, "1.2.1.2")
    for path in (
        plain,
        report,
        *(SAMPLES.resolve() / name for name in ("JPEG2000.dcm", "SC_rgb_rle.dcm", "rtdose_rle.dcm")),
    ):
        assert identify(path).doubt == ""


async def test_a_short_image_of_the_archive_is_kept_and_named(tmp_path: Path) -> None:
    short = dcmread(SAMPLES / "CT_small.dcm")
    short.PixelData = short.PixelData[:-100]
    short.save_as(tmp_path / "short.dcm")
    fake = Serving(Store.files(tmp_path / "short.dcm"))
    (tmp_path / "root").mkdir()
    wanted = {"study_uid": short.StudyInstanceUID}
    result = await fetched(fake, "dcm4chee", tmp_path / "root", **wanted)
    assert outcomes(result) == {"retrieved": 1}
    assert "32,668 bytes of pixels" in reasons(result)[short.SOPInstanceUID]
    assert list(found(tmp_path / "root").values()) == [(tmp_path / "short.dcm").read_bytes()]
    again = await fetched(fake, "dcm4chee", tmp_path / "root", **wanted)
    assert outcomes(again) == {"already_there": 1}
    assert "32,668 bytes of pixels" in reasons(again)[short.SOPInstanceUID]


@pytest.mark.parametrize("count", [-2, -1, 2, 300])
async def test_a_native_frame_of_another_length_is_not_written(tmp_path: Path, count: int) -> None:
    fake = Google(Store.shipped("rtdose.dcm"))
    held = fake.store.instances[0]
    whole = [held.frame(number) for number in (1, 2, 3)]
    wrong = whole[1][:count] if count < 0 else whole[1] + bytes(count)
    held.frame = lambda number: wrong if number == 2 else whole[number - 1]  # type: ignore[method-assign]
    uid = held.text("00080018")
    result = await fetched(fake, "google", tmp_path, instance_uids=[uid], frames=[1, 2, 3])
    assert outcomes(result) == {"retrieved": 2, "failed": 1}
    assert f"has {len(wrong):,} bytes" in reasons(result)[f"{uid} frame 2"]
    assert found(tmp_path / "in") == {f"{uid}_frame_{number}.raw": whole[number - 1] for number in (1, 3)}


async def test_frames_whose_length_nothing_tells_are_written_and_that_is_said(tmp_path: Path) -> None:
    fake = Google(Store.shipped("CT_small.dcm"))
    held = fake.store.instances[0]
    del held.attributes["00280010"]
    uid = held.text("00080018")
    result = await fetched(fake, "google", tmp_path, instance_uids=[uid], frames=[1])
    assert outcomes(result) == {"retrieved": 1}
    assert any("could not be checked" in note and "Rows" in note for note in result.notes)
