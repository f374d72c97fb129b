"""Headers, bulk values, frames and whole files of a folder, held against what pydicom reads from the same files."""

import base64
import json
import math
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from archives.folder_helpers import SAMPLES, ask, make_file, opened
from dicomweb_mcp.archives.base import NotFound, NotUnderstood, Place, Refused
from dicomweb_mcp.archives.folder import FolderArchive, refresh
from dicomweb_mcp.dicom.summary import Summary
from dicomweb_mcp.dicom.values import DEEPEST, DicomJson, plain
from dicomweb_mcp.pixels.decode import decode
from dicomweb_mcp.pixels.description import PixelDescription

pytestmark = pytest.mark.anyio
PLACE = Place("1.1", "1.1.1", "1.1.1.1")


@pytest.fixture(autouse=True)
def _always_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "FRESH_SECONDS", 0.0)


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[FolderArchive]:
    (tmp_path / "files").mkdir()
    async with opened(tmp_path / "files", tmp_path / "cache") as archive:
        yield archive


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def _copied(name: str, folder: Path) -> tuple[Dataset, Place]:
    (folder / Path(name).name).write_bytes((SAMPLES / name).read_bytes())
    dataset = pydicom.dcmread(SAMPLES / name, force=True)
    return dataset, Place(dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID)


async def _metadata(archive: FolderArchive, place: Place) -> DicomJson:
    (found,) = [row async for row in archive.metadata(place)]
    return found


def _same(mine: Any, theirs: Any) -> bool:
    """Equal, apart from padding within values, empty name groups, and empty values as null."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        theirs = {key: value for key, value in theirs.items() if value not in ("", [])}
        return mine.keys() == theirs.keys() and all(_same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    if isinstance(theirs, str):
        return (mine or "") == theirs.rstrip(" \0")
    return bool(mine == theirs)


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "rtplan.dcm", "rtstruct.dcm", "test-SR.dcm", "image_dfl.dcm", "MR_small_implicit.dcm",
     "waveform_ecg.dcm", "examples_palette.dcm", "liver_1frame.dcm", "reportsi.dcm", "JPEG2000.dcm"],
)  # fmt: skip
async def test_the_whole_header_is_what_pydicom_says(archive: FolderArchive, folder: Path, name: str) -> None:
    dataset, place = _copied(name, folder)
    found = dict(await _metadata(archive, place))
    json.dumps(found, allow_nan=False)
    assert list(found) == sorted(found)
    syntax = dataset.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    assert found.pop("00020010")["Value"] == found.pop("00083002")["Value"] == [syntax]
    expected = dataset.to_json_dict(1366, lambda element: "large", suppress_invalid_tags=True)
    expected = {tag: element for tag, element in expected.items() if not tag.endswith("0000")}
    assert found.keys() == expected.keys()
    for tag, element in found.items():
        if "BulkDataURI" in element:
            assert element["BulkDataURI"] == f"bulkdata/{tag}"
            assert await archive.bulkdata(place, element["BulkDataURI"]) == dataset[tag].value
        elif "BulkDataURI" not in str(element):
            assert _same(element, expected[tag]), tag


async def test_bulk_values_small_large_and_nested(archive: FolderArchive, folder: Path) -> None:
    item = Dataset()
    item.add_new(0x00420011, "OB", b"pdf" * 1_000)
    item.add_new(0x00283006, "OW", b"\1\2\3\4")
    nested = Dataset()
    nested.ReferencedSeriesSequence = [Dataset(), item]
    make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", ReferencedStudySequence=[nested], ICCProfile=b"ab" * 512)
    found = await _metadata(archive, PLACE)
    assert base64.b64decode(found["00282000"]["InlineBinary"]) == b"ab" * 512  # 1,024 bytes are still short
    inner = found["00081110"]["Value"][0]["00081115"]["Value"][1]
    assert inner["00283006"] == {"vr": "OW", "InlineBinary": base64.b64encode(b"\1\2\3\4").decode()}
    uri = inner["00420011"]["BulkDataURI"]
    assert uri == "bulkdata/00081110/0/00081115/1/00420011"
    assert await archive.bulkdata(PLACE, uri) == b"pdf" * 1_000
    for wrong in (
        "bulkdata/00081110/0/00081115/9/00420011", "bulkdata/00100010", "bulkdata/7FE00010", "/etc/passwd",
        "http://host/bulkdata/00420011", "bulkdata/../x", "bulkdata/00081110",
    ):  # fmt: skip
        with pytest.raises(NotFound, match="no bulk value"):
            await archive.bulkdata(PLACE, wrong)
    with pytest.raises(Refused, match="instance_uid"):
        await archive.bulkdata(Place("1.1", "1.1.1"), uri)


async def test_values_too_long_for_their_vr_in_explicit_syntaxes_are_read(archive: FolderArchive, folder: Path) -> None:
    """PS3.5 6.2.2: they are written as UN then. A contour of 2,700 points and more is one."""
    points = [float(number) for number in range(20_000)]
    contour = Dataset()
    contour.ContourData = points
    with pytest.warns(UserWarning, match="changed from 'DS' to 'UN'"):
        path = make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", ContourSequence=[contour])
    assert pydicom.dcmread(path).ContourSequence[0][0x30060050].VR == "UN"
    found = (await _metadata(archive, PLACE))["30060040"]["Value"][0]
    assert found["30060050"] == {"vr": "DS", "Value": points}


async def test_big_endian_bulk_values_are_little_endian(archive: FolderArchive, folder: Path) -> None:
    path = make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1")
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x00283006, "OW", b"\1\2\3\4")
    dataset.add_new(0x00720067, "OF", bytes(range(8)))
    dataset.add_new(0x00720069, "OB", b"\1\2\3\4")
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False)
    raw = pydicom.dcmread(path)
    found = await _metadata(archive, PLACE)
    inline = {tag: base64.b64decode(found[tag]["InlineBinary"]) for tag in ("00283006", "00720067", "00720069")}
    assert inline["00283006"] == np.frombuffer(raw[0x00283006].value, ">u2").astype("<u2").tobytes()
    assert inline["00720067"] == np.frombuffer(raw[0x00720067].value, ">f4").astype("<f4").tobytes()
    assert inline["00720069"] == b"\1\2\3\4"


async def test_values_that_cannot_be_converted_stand_as_written_and_cost_nothing_else(
    archive: FolderArchive, folder: Path
) -> None:
    path = make_file(
        folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", PatientSize="1.75", PixelAspectRatio=[1, 2],
        PatientComments="kept", RealWorldValueMappingSequence=[Dataset()],
    )  # fmt: skip
    dataset = pydicom.dcmread(path)
    dataset.RealWorldValueMappingSequence[0].RealWorldValueSlope = math.nan
    dataset.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"1.75", b"1,75"))
    found = await _metadata(archive, PLACE)
    json.dumps(found, allow_nan=False)
    assert found["00104000"]["Value"] == ["kept"]
    assert found["00409096"]["Value"] == [{"00409225": {"vr": "FD", "Value": ["NaN"]}}]
    assert found["00101020"] == {"vr": "DS", "Value": ["1,75"]}


async def test_metadata_comes_in_order_and_unknown_uids_are_explained(archive: FolderArchive, folder: Path) -> None:
    for number in (10, 9, 2):
        make_file(folder / f"{number}.dcm", "1.1", "1.1.1", f"1.1.1.{number}", InstanceNumber=number)
    found = [row["00200013"]["Value"][0] async for row in archive.metadata(Place("1.1"))]
    assert found == [2, 9, 10]
    with pytest.raises(NotFound, match=r"Archive mine: there is no series 1\.9 in this folder.*search_studies"):
        [row async for row in archive.metadata(Place("1.1", "1.9"))]


async def _checked_frames(archive: FolderArchive, place: Place, expected: np.ndarray, numbers: list[int]) -> set[str]:
    """Read frames and compare them with pydicom's pixels; the transfer syntaxes that they came in."""
    header = await _metadata(archive, place)
    frames = await archive.frames(place, numbers)
    assert [frame.number for frame in frames] == numbers
    for frame in frames:
        array = decode(frame.data, PixelDescription.of(header, frame.transfer_syntax)).array
        np.testing.assert_array_equal(array, expected[frame.number - 1])
    return {frame.transfer_syntax for frame in frames}


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("CT_small.dcm", ExplicitVRLittleEndian),
        ("MR_small_implicit.dcm", ImplicitVRLittleEndian),
        ("MR_small_bigendian.dcm", ExplicitVRBigEndian),
        ("MR_small_RLE.dcm", RLELossless),
        ("SC_rgb_rle_2frame.dcm", RLELossless),
        ("SC_rgb_rle_16bit_2frame.dcm", RLELossless),
        ("rtdose.dcm", ImplicitVRLittleEndian),
        ("rtdose_rle.dcm", RLELossless),
        ("rtdose_expb.dcm", ExplicitVRBigEndian),
        ("image_dfl.dcm", ExplicitVRLittleEndian),
        ("liver_1frame.dcm", ExplicitVRLittleEndian),
        ("SC_rgb_small_odd.dcm", ExplicitVRLittleEndian),
        ("SC_rgb_small_odd_big_endian.dcm", None),
        ("JPEG2000.dcm", "1.2.840.10008.1.2.4.91"),
    ],
)
async def test_frames_are_what_pydicom_decodes(
    archive: FolderArchive, folder: Path, name: str, syntax: str | None
) -> None:
    dataset, place = _copied(name, folder)
    count = int(dataset.get("NumberOfFrames", 1))
    expected = dataset.pixel_array if count > 1 else dataset.pixel_array[None]
    found = await _checked_frames(archive, place, expected, [*range(count, 0, -1)])
    if syntax:
        assert found == {syntax}


def _image(folder: Path, frames: list[bytes] | bytes, *, syntax: str = ExplicitVRLittleEndian, **more: Any) -> Path:
    values = {
        "Rows": 3, "Columns": 5, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "BitsAllocated": 8,
        "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0, "PixelData": frames, **more,
    }  # fmt: skip
    return make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", syntax=syntax, **values)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
async def test_one_bit_frames_begin_at_bit_0(archive: FolderArchive, folder: Path, syntax: str) -> None:
    truth = np.random.default_rng(1).integers(0, 2, (7, 3, 5), dtype=np.uint8)
    packed = np.packbits(truth.reshape(-1), bitorder="little").tobytes()
    packed += b"\0" * (len(packed) % 2)
    _image(folder, packed, syntax=syntax, NumberOfFrames=7, BitsAllocated=1, BitsStored=1, HighBit=0)
    assert np.array_equal(pydicom.dcmread(folder / "a.dcm").pixel_array, truth)
    frames = await archive.frames(PLACE, [1, 2, 7])
    for frame in frames:
        bits = np.unpackbits(np.frombuffer(frame.data, "u1"), bitorder="little")
        assert (len(frame.data), bits[15]) == (2, 0)
        assert np.array_equal(bits[:15].reshape(3, 5), truth[frame.number - 1])
        assert frame.transfer_syntax == ExplicitVRLittleEndian


async def test_odd_frames_of_big_endian_words_are_put_right(archive: FolderArchive, folder: Path) -> None:
    truth = np.arange(30, dtype=np.uint8).reshape(2, 3, 5)
    path = _image(folder, b"", NumberOfFrames=2)
    dataset = pydicom.dcmread(path)
    dataset.add_new(0x7FE00010, "OW", truth.reshape(-1).view("u2").byteswap().tobytes())
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(path, dataset, little_endian=False, implicit_vr=False)
    assert await _checked_frames(archive, PLACE, truth, [1, 2]) == {ExplicitVRLittleEndian}


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
async def test_float_pixels(archive: FolderArchive, folder: Path, keyword: str, dtype: str) -> None:
    truth = np.linspace(-1, 1, 30).astype(dtype).reshape(2, 3, 5)
    more = {"PixelData": None, keyword: truth.tobytes(), "BitsAllocated": truth.itemsize * 8}
    _image(folder, b"", NumberOfFrames=2, BitsStored=None, HighBit=None, PixelRepresentation=None, **more)
    frames = await archive.frames(PLACE, [2, 1])
    assert [frame.data for frame in frames] == [truth[1].tobytes(), truth[0].tobytes()]


STREAMS = [bytes([number]) * length for number, length in ((1, 20), (2, 6), (3, 40))]


def _no_table() -> dict[str, Any]:
    return {"PixelData": encapsulate(STREAMS, has_bot=False)}


def _basic_table() -> dict[str, Any]:
    return {"PixelData": encapsulate(STREAMS, fragments_per_frame=2)}


def _extended_table() -> dict[str, Any]:
    data, offsets, lengths = encapsulate_extended(STREAMS)
    return {"PixelData": data, "ExtendedOffsetTable": offsets, "ExtendedOffsetTableLengths": lengths}


def _end_markers() -> dict[str, Any]:
    marked = [b"\xff\xd8" + stream + b"\xff\xd9" for stream in STREAMS]
    return {"PixelData": encapsulate(marked, fragments_per_frame=2, has_bot=False)}


@pytest.mark.parametrize("layout", [_no_table, _basic_table, _extended_table, _end_markers])
async def test_encapsulated_frames_are_found_by_every_kind_of_table(
    archive: FolderArchive, folder: Path, layout: Any
) -> None:
    _image(folder, b"", syntax="1.2.840.10008.1.2.4.50", NumberOfFrames=3, **layout())
    for numbers in ([3, 1, 2], [2]):
        for frame in await archive.frames(PLACE, numbers):
            expected = STREAMS[frame.number - 1]
            assert frame.data.removeprefix(b"\xff\xd8").removesuffix(b"\xff\xd9") == expected
            assert frame.transfer_syntax == "1.2.840.10008.1.2.4.50"


async def test_frames_out_of_range_name_the_range(archive: FolderArchive, folder: Path) -> None:
    _image(folder, bytes(46), NumberOfFrames=3)
    for wrong in (0, 4, -1):
        with pytest.raises(NotFound, match=rf"no frame {wrong}; it has the frames 1 to 3"):
            await archive.frames(PLACE, [1, wrong])
    with pytest.raises(Refused, match="instance_uid"):
        await archive.frames(Place("1.1"), [1])


async def test_files_without_pixels_are_refused(archive: FolderArchive, folder: Path) -> None:
    _, place = _copied("rtplan.dcm", folder)
    with pytest.raises(Refused, match="no pixel data"):
        await archive.frames(place, [1])
    with pytest.raises(Refused, match="does not render"):
        await archive.rendered(place, 1, viewport=(10, 10))


async def test_truncated_frames_are_said_to_be_damaged(archive: FolderArchive, folder: Path) -> None:
    _, place = _copied("MR_truncated.dcm", folder)
    with pytest.raises(NotUnderstood, match=r"the file MR_truncated\.dcm is damaged: it is cut off"):
        await archive.frames(place, [1])
    path = _image(folder, b"", syntax="1.2.840.10008.1.2.4.50", NumberOfFrames=3, **_no_table())
    path.write_bytes(path.read_bytes()[:-30])
    assert len((await archive.frames(PLACE, [1]))[0].data) == 20
    with pytest.raises(NotUnderstood, match="cut off within frame 3"):
        await archive.frames(PLACE, [3])


async def test_files_come_as_they_are_on_disk(archive: FolderArchive, folder: Path) -> None:
    big = _image(folder, bytes(3 << 20), Rows=1024, Columns=1024, NumberOfFrames=3)
    _copied("JPEG2000.dcm", folder)
    make_file(folder / "b.dcm", "1.1", "1.1.2", "1.1.2.1", syntax=ImplicitVRLittleEndian)
    found = []
    async for file in archive.instances(Place("1.1")):
        chunks = [chunk async for chunk in file.chunks]
        assert max(map(len, chunks)) <= 1 << 20
        found.append((file.transfer_syntax, b"".join(chunks)))
    assert found == [
        (ExplicitVRLittleEndian, big.read_bytes()),
        (ImplicitVRLittleEndian, (folder / "b.dcm").read_bytes()),
    ]
    with pytest.raises(NotFound):
        [file async for file in archive.instances(Place("9.9"))]


async def test_a_removed_file_is_not_found_and_a_changed_one_is_read_anew(archive: FolderArchive, folder: Path) -> None:
    path = _image(folder, bytes(46), NumberOfFrames=3, PatientComments="old")
    assert (await ask(archive)).total == 1
    _image(folder, bytes(range(46)), NumberOfFrames=3, PatientComments="newer")
    assert (await _metadata(archive, PLACE))["00104000"]["Value"] == ["newer"]
    assert (await archive.frames(PLACE, [2]))[0].data == bytes(range(15, 30))
    path.unlink()
    with pytest.raises(NotFound, match=r"the file a\.dcm was changed or removed.*Search again"):
        await archive.frames(PLACE, [1])


# Syntaxes that are held against other truths, in the tests of the pixels: pydicom alone does not decode them, and two
# decoders of lossy JPEG may round differently.
NO_TRUTH_IN_PYDICOM = {f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 53, 55, 57, 70)}


async def test_real_files(archive: FolderArchive, tmp_path: Path, test_data: Path) -> None:
    """Every file of the folder of real data: its header is JSON, its frames are pydicom's."""
    async with opened(test_data, tmp_path / "cache") as archive:
        page = await ask(archive, "instance")
        assert page.total
        checked = set()
        for row in page.rows:
            place = Place(*(row[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018")))
            header = await _metadata(archive, place)
            json.dumps(header, allow_nan=False)
            syntax = header["00020010"]["Value"][0]
            if "7FE00010" not in header or syntax in NO_TRUTH_IN_PYDICOM:
                continue
            (file,) = [b"".join([c async for c in f.chunks]) async for f in archive.instances(place)]
            dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(file))
            expected = pydicom.pixels.pixel_array(dataset, raw=True)
            count = int(dataset.get("NumberOfFrames", 1))
            await _checked_frames(archive, place, expected if count > 1 else expected[None], [1, count])
            checked.add(syntax)
        jpeg_ls_and_2000 = {f"1.2.840.10008.1.2.4.{number}" for number in (80, 81, 90, 91)}
        assert checked >= {ExplicitVRLittleEndian, ImplicitVRLittleEndian, *jpeg_ls_and_2000}


@pytest.mark.parametrize("name", ["ExplVR_LitEndNoMeta.dcm", "ExplVR_BigEndNoMeta.dcm"])
async def test_a_file_that_names_no_transfer_syntax_gets_the_one_it_has(
    archive: FolderArchive, folder: Path, name: str
) -> None:
    _, place = _copied(name, folder)
    expected = ExplicitVRBigEndian if "Big" in name else ExplicitVRLittleEndian
    assert (await _metadata(archive, place))["00083002"]["Value"] == [expected]


def _overwritten(file: Path, head: bytes, value: bytes) -> None:
    """Put another value of the same length behind the tag and VR of an explicit element."""
    data = file.read_bytes()
    start = data.index(head) + 8
    length = int.from_bytes(data[start - 2 : start], "little")
    file.write_bytes(data[:start] + value.ljust(length)[:length] + data[start + length :])


async def test_a_value_that_breaks_its_vr_is_shown_as_written_not_as_absent(
    archive: FolderArchive, folder: Path
) -> None:
    _, place = _copied("CT_small.dcm", folder)
    file = folder / "CT_small.dcm"
    _overwritten(file, b"\x18\x00\x50\x00DS", b"5 mm\\6")
    _overwritten(file, b"\x20\x00\x13\x00IS", b"x1")
    broken = {
        "00180050": {"vr": "DS", "Value": ["5 mm", "6"]},
        "00200013": {"vr": "IS", "Value": ["x1"]},
    }
    header = await _metadata(archive, place)
    (row,) = (await ask(archive, "instance", fields=["SliceThickness"])).rows
    for tag, element in broken.items():
        assert header[tag] == row[tag] == element
    assert plain(row["00200013"]) == "x1 (not a number)"


async def test_a_binary_value_of_odd_length_is_shown_as_bytes(archive: FolderArchive, folder: Path) -> None:
    file = make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", StartTrim=7)
    head = b"\x08\x00\x42\x21IS"
    data = file.read_bytes()
    assert head in data
    file.write_bytes(data.replace(head, head[:4] + b"FD"))
    header = await _metadata(archive, PLACE)
    assert header["00082142"]["vr"] == "UN"
    assert base64.b64decode(header["00082142"]["InlineBinary"]) == b"7 "


async def test_an_empty_value_of_an_unknown_vr_costs_nothing_else(archive: FolderArchive, folder: Path) -> None:
    path = make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1", PatientComments="kept", ImageComments="")
    head = b"\x20\x00\x00\x40LT"
    assert head in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(head, head[:4] + b"Q\0"))
    found = await _metadata(archive, PLACE)
    assert found["00104000"]["Value"] == ["kept"]
    assert "Value" not in found["00204000"]


async def test_sequences_without_end_are_cut(archive: FolderArchive, folder: Path) -> None:
    """Whoever reads the metadata walks into them."""
    path = make_file(folder / "a.dcm", "1.1", "1.1.1", "1.1.1.1")
    nested = b""
    for _ in range(1_000):
        item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(nested)) + nested
        nested = b"\x40\x00\x30\xa7SQ\0\0" + struct.pack("<L", len(item)) + item
    path.write_bytes(path.read_bytes() + nested)
    found = await _metadata(archive, PLACE)
    summary = Summary()
    summary.add(found, None, private=True)
    depth = 0
    while found := next(iter(found["0040A730"].get("Value", [])), {}):
        depth += 1
    assert depth == DEEPEST
