"""The header of a file that is still arriving, against pydicom reading the whole file."""

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from dicomweb_mcp.archives.part10.arriving import ArrivingHeader
from dicomweb_mcp.archives.part10.dataset import Damaged

FILES = ("CT_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "JPEG2000.dcm", "examples_ybr_color.dcm")


def fed(data: bytes, step: int) -> tuple[dict[str, object] | None, int]:
    """The header and after how many bytes it was there; None when it was not before the end."""
    arriving = ArrivingHeader()
    try:
        for start in range(0, len(data), step):
            if found := arriving.feed(data[start : start + step]):
                return dict(found), start + step
        return None, len(data)
    finally:
        arriving.close()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("step", [37, 1_000, 1 << 20])
def test_it_is_there_when_the_pixels_begin(name: str, step: int) -> None:
    path = Path(str(get_testdata_file(name)))
    data = path.read_bytes()
    found, after = fed(data, step)
    assert found is not None
    whole = pydicom.dcmread(path)
    expected = {
        f"{int(tag):08X}" for tag in sorted(whole.keys()) if tag.group != 0x7FE0 and tag.element and tag < 0x7FE00000
    }
    assert expected <= found.keys()
    assert after <= data.rindex(bytes(whole.PixelData[:64])) + step + 64 if step < 1 << 20 else True


def test_the_bytes_of_the_tag_within_a_value_do_not_end_it() -> None:
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.66", "1.2.3"
    item = Dataset()
    item.EncapsulatedDocument = b"\xe0\x7f\x10\x00OW\0\0\x10\0\0\0" * 400
    data_set.ContentSequence = Sequence([item])
    data_set.PatientID = "after all"
    data_set.BitsAllocated = 8
    data_set.add_new("PixelData", "OB", bytes(5_000))
    found, after = fed(written(data_set), 50)
    assert found is not None
    assert found["00100020"] == {"vr": "LO", "Value": ["after all"]}
    assert "0040A730" in found
    assert after > 400 * 12


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_file_without_pixels_is_read_to_its_end(syntax: str) -> None:
    data_set = Dataset()
    data_set.SOPClassUID, data_set.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.481.3", "1.2.3"
    data_set.StructureSetLabel = "plan"
    data = written(data_set, syntax)
    arriving = ArrivingHeader()
    assert arriving.feed(data) is None
    assert arriving.end()["30060002"] == {"vr": "SH", "Value": ["plan"]}
    arriving.close()


def test_what_is_no_dicom_is_damaged() -> None:
    arriving = ArrivingHeader()
    arriving.feed(b"<html>" * 100)
    with pytest.raises(Damaged):
        arriving.end()
    arriving.close()


def written(data_set: Dataset, syntax: str = ExplicitVRLittleEndian) -> bytes:
    data_set.file_meta = FileMetaDataset()
    data_set.file_meta.TransferSyntaxUID = syntax
    data_set.file_meta.MediaStorageSOPClassUID = data_set.SOPClassUID
    data_set.file_meta.MediaStorageSOPInstanceUID = data_set.SOPInstanceUID
    buffer = io.BytesIO()
    data_set.save_as(buffer, enforce_file_format=True, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return buffer.getvalue()
