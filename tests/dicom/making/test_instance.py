"""Instances as they are made, held against the standard's tables (those of highdicom) and read by pydicom."""

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from highdicom._standard_utils import get_iod_module_map, get_module_attribute_map, get_sop_class_iod_map
from PIL import Image

from dicomweb_mcp.dicom.making.content import Document, NotMade, Pixels
from dicomweb_mcp.dicom.making.instance import contradictions, make_instance, study_modules
from dicomweb_mcp.dicom.making.metadata import checked_metadata
from dicomweb_mcp.dicom.making.modules import (
    ENCAPSULATED_PDF,
    PATIENT,
    SECONDARY_CAPTURE,
    STUDY,
    VL_PHOTOGRAPHIC,
)
from dicomweb_mcp.dicom.making.pdf import pdf_document
from dicomweb_mcp.pixels.image_file import pixels_of
from picture_files import GREY, GREY_16, PDF, PROFILE, RGB, encoded

FILES = {
    "RGB": encoded(RGB, "PNG", icc_profile=PROFILE),
    "16": encoded(GREY_16, "TIFF"),
    "grey": encoded(GREY, "PNG"),
    "JPEG": encoded(RGB, "JPEG"),
    "4:4:4": encoded(RGB, "JPEG", subsampling="4:4:4"),
    "fax": encoded(GREY, "TIFF", dpi=(200, 100)),
    "PDF": PDF,
}


def made(
    file: str, number: int = 1, of_study: Any = None, study_uid: str | None = None, **given: Any
) -> pydicom.Dataset:
    """The instance, written to a file and read again."""
    source = FILES[file]
    content: Pixels | Document = pdf_document(source) if file == "PDF" else pixels_of(source)
    dataset = make_instance(
        content, checked_metadata({"PatientID": "P1", **given}), source=source, number=number, of_study=of_study,
        study_uid=study_uid,
    )  # fmt: skip
    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    written.seek(0)
    return pydicom.dcmread(written)


CASES = [
    ("RGB", {}, SECONDARY_CAPTURE),
    ("16", {}, SECONDARY_CAPTURE),
    ("JPEG", {}, SECONDARY_CAPTURE),
    ("RGB", {"Modality": "XC"}, VL_PHOTOGRAPHIC),
    ("4:4:4", {"Modality": "XC"}, VL_PHOTOGRAPHIC),
    ("grey", {"SOPClassUID": VL_PHOTOGRAPHIC, "Modality": "DMS"}, VL_PHOTOGRAPHIC),
    ("JPEG", {"SOPClassUID": SECONDARY_CAPTURE, "Modality": "XC"}, SECONDARY_CAPTURE),
    ("PDF", {}, ENCAPSULATED_PDF),
]
ELSEWHERE = {"PixelDataProviderURL"}


@pytest.mark.parametrize(("file", "given", "sop_class"), CASES)
def test_every_attribute_of_type_1_and_2_is_there(file: str, given: dict[str, Any], sop_class: str) -> None:
    dataset = made(file, **given)
    assert dataset.SOPClassUID == dataset.file_meta.MediaStorageSOPClassUID == sop_class
    assert dataset.SOPInstanceUID == dataset.file_meta.MediaStorageSOPInstanceUID
    attributes = get_module_attribute_map()
    checked = 0
    for module in get_iod_module_map()[get_sop_class_iod_map()[sop_class]]:
        if module["usage"] != "M":
            continue
        for attribute in attributes[module["key"]]:
            keyword, kind = attribute["keyword"], str(getattr(attribute["type"], "value", attribute["type"]))
            if attribute["path"] or kind not in ("1", "2"):
                continue
            assert keyword in dataset, f"{keyword} of type {kind}"
            assert kind == "2" or not dataset[keyword].is_empty, f"{keyword} of type 1 is empty"
            checked += 1
    assert checked > 20
    assert dataset.SpecificCharacterSet == "ISO_IR 192"


def test_modules_of_patient_and_study_are_those_of_the_standard() -> None:
    attributes = get_module_attribute_map()
    for ours, key in ((PATIENT, "patient"), (STUDY, "general-study")):
        assert {item["keyword"] for item in attributes[key] if not item["path"]} - set(ours) == set()


@pytest.mark.parametrize(("file", "array"), [("RGB", RGB), ("16", GREY_16), ("grey", GREY)])
def test_pixels_come_out_as_they_went_in(file: str, array: np.ndarray) -> None:
    dataset = made(file)
    np.testing.assert_array_equal(dataset.pixel_array, array)
    assert len(dataset.PixelData) % 2 == 0
    assert (dataset["PixelData"].VR == "OW") == (file == "16")
    assert "LossyImageCompression" not in dataset
    assert dataset.get("ICCProfile", b"").rstrip(b"\0") == (PROFILE.rstrip(b"\0") if file == "RGB" else b"")


def test_a_jpeg_comes_out_byte_by_byte() -> None:
    dataset = made("JPEG")
    (frame,) = pydicom.encaps.generate_frames(dataset.PixelData, number_of_frames=1)
    assert frame.rstrip(b"\0") == FILES["JPEG"]
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert dataset.LossyImageCompression == "01"
    assert dataset.LossyImageCompressionMethod == "ISO_10918_1"
    assert float(dataset.LossyImageCompressionRatio) == pytest.approx(RGB.size / len(FILES["JPEG"]), abs=0.005)
    expected = np.asarray(Image.open(io.BytesIO(FILES["JPEG"])))
    np.testing.assert_allclose(dataset.pixel_array.astype(int), expected.astype(int), atol=2)


def test_pixels_that_are_not_square() -> None:
    assert list(made("fax").PixelAspectRatio) == [2, 1]
    spaced = made("fax", PixelSpacing=[0.254, 0.127])
    assert "PixelAspectRatio" not in spaced
    assert list(spaced.PixelSpacing) == [0.254, 0.127]


def test_photographs_have_photometric_interpretations_of_their_own() -> None:
    """PS3.3 C.8.12.1.1 has no YBR_FULL."""
    assert made("4:4:4").PhotometricInterpretation == "YBR_FULL"
    assert made("4:4:4", Modality="XC").PhotometricInterpretation == "YBR_FULL_422"


def test_a_document_comes_out_byte_by_byte() -> None:
    assert len(PDF) % 2 == 1, "so that padding is tried"
    dataset = made("PDF", DocumentTitle="Befund für Müller")
    assert dataset.EncapsulatedDocumentLength == len(PDF)
    assert dataset.EncapsulatedDocument == PDF + b"\0"
    assert dataset.MIMETypeOfEncapsulatedDocument == "application/pdf"
    assert dataset.DocumentTitle == "Befund für Müller"
    assert (dataset.Modality, dataset.BurnedInAnnotation) == ("DOC", "YES")
    assert made("PDF", BurnedInAnnotation="NO").BurnedInAnnotation == "NO"


def test_what_is_given_counts_and_nothing_is_claimed_that_nobody_said() -> None:
    plain = made("RGB")
    assert "BurnedInAnnotation" not in plain
    assert (plain.Modality, plain.ConversionType, plain.StudyDate, plain.InstanceNumber) == ("OT", "WSD", "", 1)
    given = made("RGB", 4, ConversionType="SD", PatientName="李^四", Modality="", SeriesNumber=9, ImageLaterality="L")
    assert (given.ConversionType, str(given.PatientName), given.Modality) == ("SD", "李^四", "OT")
    assert (given.SeriesNumber, given.InstanceNumber) == (9, 4)
    assert "Laterality" not in given, "one of the two says it"
    assert made("RGB", InstanceNumber=12).InstanceNumber == 12


UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def uids(dataset: pydicom.Dataset) -> list[str]:
    return [str(dataset[keyword].value) for keyword in UIDS]


def test_the_same_file_and_metadata_have_the_same_uids() -> None:
    first = uids(made("RGB", StudyDate="2020-01-15", SeriesDescription="x"))
    assert all(uid.startswith("2.25.") and len(uid) <= 64 for uid in first)
    assert len(set(first)) == 3
    assert uids(made("RGB", 5, SeriesDescription="x", StudyDate="20200115", StudyID="")) == first
    same = {
        "another file": uids(made("grey", StudyDate="2020-01-15", SeriesDescription="x")),
        "another series": uids(made("RGB", StudyDate="2020-01-15", SeriesDescription="y")),
        "another study": uids(made("RGB", StudyDate="2020-01-16", SeriesDescription="x")),
        "another class": uids(made("RGB", StudyDate="2020-01-15", SeriesDescription="x", SOPClassUID=VL_PHOTOGRAPHIC)),
        "a study that is there": uids(made("RGB", StudyDate="2020-01-15", SeriesDescription="x", study_uid="1.2.3")),
    }
    told = {what: [one == other for one, other in zip(first, found, strict=True)] for what, found in same.items()}
    assert told == {
        "another file": [True, True, False],
        "another series": [True, False, False],
        "another study": [False, False, False],
        "another class": [True, False, False],
        "a study that is there": [False, False, False],
    }


def test_uids_that_are_given_count() -> None:
    given = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "SOPInstanceUID": "1.2.3.4.5"}
    assert uids(made("RGB", **given)) == list(given.values())


def test_uids_never_change() -> None:
    """What was stored by an earlier version must be recognised: a change of these numbers is a break."""
    assert uids(made("PDF", PatientName="Doe^Jane")) == UNCHANGING


UNCHANGING = [
    "2.25.84756660558881151233458803921830366983",
    "2.25.83377993313997092215541402503575332487",
    "2.25.120566866292456731136632595309043820512",
]


@pytest.mark.parametrize(
    ("file", "given", "says"),
    [
        ("PDF", {"SOPClassUID": SECONDARY_CAPTURE}, "cannot hold a PDF"),
        ("RGB", {"SOPClassUID": ENCAPSULATED_PDF}, "cannot hold a picture"),
        ("PDF", {"Modality": "XC"}, "a PDF is no photograph .Modality XC.: leave Modality out, or store it in a call"),
        ("16", {"Modality": "XC"}, "has 8 bits a sample, and this picture 16"),
    ],
)
def test_classes_that_do_not_fit(file: str, given: dict[str, Any], says: str) -> None:
    with pytest.raises(NotMade, match=says):
        made(file, **given)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a PDF"),
        (b"%!PS-Adobe", "not a PDF"),
        (PDF[:-8], "cut off"),
        (PDF + b"\0" * 2_000, "cut off"),
        (PDF.replace(b"/Size 4", b"/Size 4/Encrypt 5 0 R"), "encrypted"),
    ],
)
def test_pdfs_that_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(NotMade, match=says):
        pdf_document(data)


# ---- joining a study -------------------------------------------------------------------------------------------------


def of(**values: Any) -> dict[str, Any]:
    dataset = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dict(dataset.to_json_dict())


THEIRS = of(
    PatientID="P7", PatientName="Yamada^Tarou=山田^太郎", PatientSex="M", StudyInstanceUID="1.2.3", StudyDate="20200115",
    StudyDescription="Kopf", Modality="CT", PatientAge="054Y", Rows=512, ReferringPhysicianName="",
)  # fmt: skip


def test_patient_and_study_are_copied_and_nothing_else() -> None:
    copied = study_modules(THEIRS)
    assert {element.keyword for element in copied} == {
        "PatientID", "PatientName", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyDescription",
        "ReferringPhysicianName",
    }  # fmt: skip
    dataset = made("RGB", of_study=copied, study_uid="1.2.3", PatientID="", SeriesDescription="a photograph")
    assert str(dataset.PatientName) == "Yamada^Tarou=山田^太郎"
    assert (dataset.PatientID, dataset.StudyInstanceUID, dataset.StudyDate) == ("P7", "1.2.3", "20200115")
    assert (dataset.Modality, dataset.Rows, dataset.SeriesDescription) == ("OT", RGB.shape[0], "a photograph")


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({"PatientID": "P7", "PatientName": "Yamada^Tarou=山田^太郎", "StudyDate": "2020-01-15", "Modality": "XC"}, []),
        ({"PatientID": "", "SeriesDescription": "x"}, []),
        ({"PatientID": "P8"}, ["PatientID"]),
        ({"StudyDate": "2020-01-16", "PatientSex": "F"}, ["StudyDate", "PatientSex"]),
        ({"StudyID": "5", "ReferringPhysicianName": "Who"}, ["ReferringPhysicianName", "StudyID"]),
        ({"StudyInstanceUID": "1.2.4"}, ["StudyInstanceUID"]),
    ],
)
def test_metadata_that_contradict_the_study(given: dict[str, Any], names: list[str]) -> None:
    assert contradictions(checked_metadata(given), THEIRS) == names


def test_a_study_that_cannot_be_copied_is_not_half_copied() -> None:
    with pytest.raises(ValueError, match="bulk data"):
        study_modules({"00104000": {"vr": "LT", "BulkDataURI": "http://x"}})
    with pytest.raises(ValueError, match="Error"):
        study_modules({"00100010": {"vr": "PN", "Value": [7]}, "00081110": {"vr": "SQ", "Value": [{"x": {}}]}})
