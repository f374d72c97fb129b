"""The header of a file that was spoilt: it is read, or it is told why not."""

from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.archives.part10.header import NotDicom, Unreadable, read_header


def test_a_file_cut_within_a_sequence_is_damaged(tmp_path: Path) -> None:
    """pydicom tells it by an OSError, which is none of the system's and no reason to try the file again."""
    file = tmp_path / "cut.dcm"
    file.write_bytes((SAMPLES / "rtstruct.dcm").read_bytes()[:1284])
    with pytest.raises(Unreadable, match="damaged: No tag to read"):
        read_header(str(file))


@pytest.mark.parametrize("name", sorted(path.name for path in SAMPLES.glob("*.dcm")))
def test_any_file_cut_anywhere(name: str, tmp_path: Path) -> None:
    whole = (SAMPLES / name).read_bytes()[:20_000]
    file = tmp_path / "cut.dcm"
    for end in range(0, len(whole), 1 + len(whole) // 15):
        file.write_bytes(whole[:end])
        try:
            read_header(str(file))
        except (NotDicom, Unreadable):
            continue


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_value_that_the_end_of_the_file_cuts_is_none(tmp_path: Path, syntax: str) -> None:
    """Half a UID would be that of something else, and half a name that of somebody else."""
    file = make_file(tmp_path / "whole.dcm", "1.2.3", "1.2.3.4", "1.2.3.4.5", syntax, StudyID="1234")
    whole = file.read_bytes()
    known = read_header(str(file)).elements
    for start in (0, whole.index(b"\x08\x00\x16\x00")):  # with and without preamble: read here, and by pydicom
        for end in range(start + 8, len(whole)):
            file.write_bytes(whole[start:end])
            try:
                header = read_header(str(file))
            except (NotDicom, Unreadable):
                continue
            for tag, element in header.elements.items():
                assert element == known[tag] or tag in ("00020010", "00083002")
