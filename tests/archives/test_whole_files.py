"""Whether a DICOM file is whole, and what else keeps one from being stored; pydicom's files are the truth."""

import contextlib
import io
import os
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGBaseline8Bit

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.archives.part10 import elements, whole
from dicomweb_mcp.archives.part10.dataset import Damaged
from dicomweb_mcp.archives.part10.header import Unreadable, read_header
from dicomweb_mcp.archives.part10.outgoing import checked
from dicomweb_mcp.archives.part10.whole import Unfit, check_whole
from dicomweb_mcp.paths import Changed

NOT_WHOLE = {  # of pydicom's files: why each cannot be stored
    "ExplVR_BigEndNoMeta.dcm": "without preamble",
    "ExplVR_LitEndNoMeta.dcm": "without preamble",
    "rtstruct.dcm": "without preamble",
    "MR_truncated.dcm": "62 bytes of element \\(7FE0,0010\\) are missing",
    "rtplan_truncated.dcm": "265 bytes of element \\(300A,00B0\\) are missing",
    "SC_rgb_jpeg.dcm": "element \\(0008,0008\\) has no valid VR",
    "meta_missing_tsyntax.dcm": "names no transfer syntax",
    "no_meta.dcm": "not DICOM",
}


def check(data: bytes) -> None:
    check_whole(io.BytesIO(data), len(data))


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.dcm")), ids=lambda path: path.name)
def test_shipped_files_are_whole_but_those_known_not_to_be(path: Path) -> None:
    data = path.read_bytes()
    if path.name in NOT_WHOLE:
        with pytest.raises(Unfit, match=NOT_WHOLE[path.name]):
            check(data)
    else:
        check(data)


@pytest.mark.parametrize("element", [b"\x02\x00\x02\x00UI", b"\x02\x00\x03\x00UI"])
def test_meta_information_that_cannot_be_read_is_a_reason(tmp_path: Path, element: bytes) -> None:
    data = (SAMPLES / "CT_small.dcm").read_bytes()
    file = tmp_path / "odd.dcm"
    file.write_bytes(data.replace(element, element[:4] + b"U\xc9", 1))
    with pytest.raises(Unfit, match="damaged: Unknown Value Representation"):
        checked(file)


def nested(undefined: bool) -> Dataset:
    inner = Dataset()
    inner.CodeValue = "X1"
    inner.ConceptCodeSequence = [Dataset()]
    inner.is_undefined_length_sequence_item = undefined
    outer = Dataset()
    outer.ProcedureCodeSequence = [inner, inner]
    outer["ProcedureCodeSequence"].is_undefined_length = undefined
    return outer


def small(path: Path, syntax: str, undefined: bool = False, pixels: bool = False) -> bytes:
    make_file(path, "1.2", "1.2.3", "1.2.3.4", syntax, ProcedureCodeSequence=nested(undefined).ProcedureCodeSequence)
    if pixels:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = encapsulate([b"\xff\xd8one", b"\xff\xd8two!"])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        dataset.save_as(path)
    return path.read_bytes()


def saved(path: Path, sample: Path) -> bytes:
    pydicom.dcmread(sample).save_as(path)
    return path.read_bytes()


SMALL: dict[str, Callable[[Path], bytes]] = {
    "explicit": lambda path: small(path, pydicom.uid.ExplicitVRLittleEndian),
    "implicit": lambda path: small(path, ImplicitVRLittleEndian),
    "big endian": lambda path: saved(path, SAMPLES / "SC_rgb_small_odd_big_endian.dcm"),
    "undefined lengths": lambda path: small(path, ImplicitVRLittleEndian, undefined=True),
    "encapsulated": lambda path: small(path, JPEGBaseline8Bit, pixels=True),
    "deflated": lambda path: small(path, DeflatedExplicitVRLittleEndian),
}


@pytest.mark.parametrize("kind", SMALL)
def test_a_file_cut_at_any_byte_is_not_whole(kind: str, tmp_path: Path) -> None:
    data = SMALL[kind](tmp_path / "x.dcm")
    check(data)
    # of a deflated file the last byte only makes the length even (PS3.5 A.5)
    whole = {len(data) - 1} if kind == "deflated" else lengths_of_whole_files(tmp_path / "x.dcm")
    for length in range(len(data)):
        if length in whole:  # nobody can tell that elements are missing behind a whole one
            continue
        with pytest.raises(Unfit):
            check(data[:length])


def lengths_of_whole_files(path: Path) -> set[int]:
    """How long the file would be with its first elements alone, as pydicom writes it."""
    dataset = pydicom.dcmread(path)
    tags = list(dataset.keys())
    lengths = set()
    for count in range(len(tags) + 1):
        shorter = pydicom.dcmread(path)
        for tag in tags[count:]:
            del shorter[tag]
        written = io.BytesIO()
        shorter.save_as(written)
        lengths.add(len(written.getvalue()))
    return lengths


@pytest.mark.parametrize("kind", SMALL)
def test_bytes_behind_the_last_element_are_noticed(kind: str, tmp_path: Path) -> None:
    data = SMALL[kind](tmp_path / "x.dcm")
    if kind == "deflated":
        return  # what follows a deflated stream is padding (PS3.5 A.5)
    with pytest.raises(Unfit):
        check(data + b"rubbish")


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda data: b"", "the file is empty"),
        (lambda data: b"\x89PNG" + bytes(500), "not DICOM"),
        (lambda data: data.replace(b"PN", b"XX", 1), "no valid VR \\(b'XX'\\)"),
        (lambda data: data[132:], "without preamble"),
        (lambda data: data[:132], "names no transfer syntax"),
    ],
)
def test_what_is_wrong_is_said(spoil: Callable[[bytes], bytes], says: str, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match=says):
        check(spoil(SMALL["explicit"](tmp_path / "x.dcm")))


def test_items_that_overrun_their_sequence_are_refused(tmp_path: Path) -> None:
    """The sequence says 8 bytes, its item says more."""
    head = SMALL["explicit"](tmp_path / "x.dcm")
    item = b"\xfe\xff\x00\xe0" + (10).to_bytes(4, "little") + b"\x08\x00\x00\x01SH\x02\x00AB"
    with pytest.raises(Unfit, match="do not add up"):
        check(head + b"\x40\x00\x75\x02SQ\0\0" + (8).to_bytes(4, "little") + item)
    check(head + b"\x40\x00\x75\x02SQ\0\0" + (18).to_bytes(4, "little") + item)


def test_a_meta_header_of_any_size_does_not_hide_that_a_file_is_deflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elements, "MOST_INFLATED", 1 << 20)
    head = SMALL["deflated"](tmp_path / "x.dcm")
    meta_end = head.index(DeflatedExplicitVRLittleEndian.encode()) + len(DeflatedExplicitVRLittleEndian)
    private = b"\x02\x00\x02\x01OB\0\0" + (100_000).to_bytes(4, "little") + bytes(100_000)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    path = tmp_path / "bomb.dcm"
    path.write_bytes(head[:meta_end] + private + packer.compress(bytes(2 << 20)) + packer.flush())
    with pytest.raises(Unfit, match="unpacks to more than 1 MiB"):
        check(path.read_bytes())
    with pytest.raises(Unreadable, match="unpacks to more than 1 MiB"):
        read_header(str(path))


def test_sequences_without_end_are_refused(tmp_path: Path) -> None:
    head = SMALL["explicit"](tmp_path / "x.dcm")
    deep = (b"\x40\x00\x75\x02SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * 50_000
    with pytest.raises(Unfit, match="levels deep"):
        check(head + deep)


def test_a_deflated_file_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elements, "MOST_INFLATED", 1 << 20)
    path = tmp_path / "x.dcm"
    head = SMALL["deflated"](path)
    meta_end = head.index(DeflatedExplicitVRLittleEndian.encode()) + len(DeflatedExplicitVRLittleEndian)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    bomb = packer.compress(bytes(2 << 20)) + packer.flush()
    with pytest.raises(Unfit, match="unpacks to more than 1 MiB"):
        check(head[:meta_end] + bomb)


def test_elements_out_of_order_are_refused(tmp_path: Path) -> None:
    """Programs take the first or the last of two: one would see another patient or study than was checked."""
    data = SMALL["explicit"](tmp_path / "x.dcm")
    for tag, value in ((b"\x10\x00\x20\x00LO", b"P2"), (b"\x20\x00\x0d\x00UI", b"1.99")):
        with pytest.raises(Unfit, match="does not stand in ascending order"):
            check(data + tag + len(value).to_bytes(2, "little") + value)
    pixels = b"\xe0\x7f\x10\x00OW\0\0" + (4).to_bytes(4, "little") + bytes(4)
    check(data + pixels)
    with pytest.raises(Unfit, match="ascending"):
        check(data + pixels + b"\x20\x00\x0d\x00UI\x04\x001.99")


def test_a_patient_id_of_megabytes_is_not_read(tmp_path: Path) -> None:
    path = make_file(tmp_path / "x.dcm", "1.2", "1.2.3", "1.2.3.4", ImplicitVRLittleEndian, PatientID=None,
                     StudyInstanceUID=None, SeriesInstanceUID=None)  # fmt: skip
    with path.open("ab") as file:
        file.write(b"\x10\x00\x20\x00" + (700 << 20).to_bytes(4, "little"))
        file.truncate(file.tell() + (700 << 20))
    with pytest.raises(Unfit, match=r"\(0010,0020\) is longer than its VR allows"):
        checked(path.resolve())


def test_millions_of_elements_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whole, "MOST_ELEMENTS", 100)
    data = SMALL["explicit"](tmp_path / "x.dcm")
    items = (b"\xfe\xff\x00\xe0\x0c\0\0\0" + b"\x08\x00\x00\x01SH\x04\0ABCD") * 200
    with pytest.raises(Unfit, match="more than 100 elements"):
        check(data + b"\x40\x00\x75\x02SQ\0\0" + len(items).to_bytes(4, "little") + items)


def test_rubbish_behind_deflated_data_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    data = SMALL["deflated"](path)
    with path.open("ab") as file:
        file.truncate(len(data) + (1 << 30))
    with pytest.raises(Unfit, match=r"1,073,741,8[0-9]+ bytes follow its deflated data set"):
        checked(path.resolve())


def test_a_long_value_is_not_loaded_to_compare(tmp_path: Path) -> None:
    path = make_file(tmp_path / "x.dcm", "1.2", "1.2.3", "1.2.3.4", Rows=4)
    with path.open("ab") as file:
        file.write(b"\x29\x00\x10\x00LO\x04\0ACME" + b"\x29\x00\x01\x10OB\0\0" + (500 << 20).to_bytes(4, "little"))
        file.truncate(file.tell() + (500 << 20))
    outgoing = checked(path.resolve())
    tracemalloc.start()
    found = outgoing.metadata()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found["00280010"]["Value"] == [4]
    assert "00291001" not in found
    assert peak < 10 << 20


@pytest.mark.parametrize("depth", [300, 900, 3_000])
def test_sequences_too_deep_to_be_read_cost_only_their_file(tmp_path: Path, depth: int) -> None:
    """In implicit VR a sequence of known length looks like any other value until somebody reads it."""
    path = make_file(tmp_path / "x.dcm", "1.2", "1.2.3", "1.2.3.4", ImplicitVRLittleEndian)
    value = b""
    for _ in range(depth):
        inner = b"\x40\x00\x75\x02" + len(value).to_bytes(4, "little") + value
        value = b"\xfe\xff\x00\xe0" + len(inner).to_bytes(4, "little") + inner
    with path.open("ab") as file:
        file.write(b"\x40\x00\x75\x02" + len(value).to_bytes(4, "little") + value)
    outgoing = checked(path.resolve())
    with contextlib.suppress(Damaged):  # the one error that a caller has to expect
        assert outgoing.metadata()["00080060"]["Value"] == ["CT"]


def test_three_gigabytes_are_looked_over_without_being_read(tmp_path: Path) -> None:
    """A sparse file: only its header takes space."""
    path = make_file(tmp_path / "big.dcm", "1.2", "1.2.3", "1.2.3.4", Rows=1)
    pixels = 3 * 10**9
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + pixels.to_bytes(4, "little"))
    os.truncate(path, path.stat().st_size + pixels)
    outgoing = checked(path.resolve())
    assert outgoing.size > pixels
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(Unfit, match=r"1 bytes of element \(7FE0,0010\) are missing"):
        checked(path.resolve())


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"SOPClassUID": None}, "it has no SOPClassUID"),
        ({"StudyInstanceUID": None}, "it has no StudyInstanceUID"),
        ({"StudyInstanceUID": "1.2.03"}, "its StudyInstanceUID is not a valid UID"),
        ({"SeriesInstanceUID": "1.2.x"}, "its SeriesInstanceUID is not a valid UID"),
        ({"SeriesInstanceUID": "../../etc"}, "its SeriesInstanceUID is not a valid UID"),
        ({"SOPInstanceUID": "1." + "2" * 63}, "its SOPInstanceUID is not a valid UID"),
        ({"StudyInstanceUID": ["1.2", "1.3"]}, "its StudyInstanceUID is not a valid UID"),
    ],
)
def test_uids_must_be_there_and_valid(values: dict[str, str | None], says: str, tmp_path: Path) -> None:
    path = make_file(tmp_path / "x.dcm", **{"study": "1.2", "series": "1.2.3", "instance": "1.2.3.4", **values})  # type: ignore[arg-type]
    with pytest.raises(Unfit, match=says):
        checked(path.resolve())


def test_a_directory_of_media_is_not_stored() -> None:
    with pytest.raises(Unfit, match="a DICOMDIR"):
        checked((SAMPLES / "dicomdirtests" / "DICOMDIR").resolve())


def test_a_file_that_changes_is_not_the_one_that_was_checked(tmp_path: Path) -> None:
    path = make_file(tmp_path / "x.dcm", "1.2", "1.2.3", "1.2.3.4").resolve()
    outgoing = checked(path)
    assert b"".join(outgoing.chunks()) == path.read_bytes()
    data, status = path.read_bytes(), path.stat()
    path.write_bytes(data.replace(b"Doe^Jane", b"Doe^John"))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # the same size and time
    if os.name != "nt":
        with pytest.raises(Changed):
            list(outgoing.chunks())
    make_file(path, "1.2", "1.2.3", "1.2.3.4", StudyDescription="another")
    with pytest.raises(Changed):
        list(outgoing.chunks())
    with pytest.raises(Changed):
        outgoing.metadata()
    path.unlink()
    with pytest.raises(Changed):
        list(outgoing.chunks())
    with pytest.raises(Changed):
        outgoing.metadata()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
def test_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in ((tmp_path / "pipe").resolve(), Path("/dev/zero"), tmp_path.resolve()):
        with pytest.raises(Unfit, match="no regular file"):
            checked(path)
