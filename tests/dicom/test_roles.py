"""The roles of objects, and what tells those of one description apart."""

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import UID_dictionary

from dicomweb_mcp.dicom.distinctions import distinctions
from dicomweb_mcp.dicom.roles import ROLE_FIELDS, is_derived, role

DATA = Path(__file__).parent.parent / "data"
STORAGE = "1.2.840.10008.5.1.4.1.1."


def made(sop_class: str = "", **values: Any) -> dict[str, Any]:
    dataset = Dataset()
    if sop_class:
        dataset.SOPClassUID = STORAGE + sop_class
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset.to_json_dict()


IMAGES = [
    (["ORIGINAL", "PRIMARY", "AXIAL"], "original"),
    (["ORIGINAL", "PRIMARY", "LOCALIZER"], "localizer"),
    (["DERIVED", "SECONDARY", "SCOUT"], "localizer"),
    (["DERIVED", "SECONDARY", "MPR"], "derived (reformat)"),
    (["DERIVED", "SECONDARY", "AXIAL", "MIP"], "derived (projection)"),
    (["DERIVED", "PRIMARY"], "derived"),
    (["derived ", "primary"], "derived"),
    (["SOMETHING"], "image"),
    (None, "image"),
]


@pytest.mark.parametrize(("image_type", "expected"), IMAGES)
def test_images_by_their_image_type(image_type: list[str] | None, expected: str) -> None:
    assert role(made("2", Rows=1, **({"ImageType": image_type} if image_type else {}))) == expected


@pytest.mark.parametrize(
    ("sop_class", "values", "expected"),
    [
        ("7", {"ImageType": ["DERIVED", "SECONDARY"]}, "secondary capture"),
        ("7.4", {}, "secondary capture"),
        ("77.1.6", {"ImageType": ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]}, "slide (volume)"),
        ("77.1.6", {"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]}, "slide (label)"),
        ("77.1.6", {"ImageType": ["ORIGINAL", "PRIMARY", "OVERVIEW", "NONE"]}, "slide (overview)"),
        ("77.1.6", {"ImageType": ["DERIVED", "PRIMARY", "THUMBNAIL", "RESAMPLED"]}, "slide (thumbnail)"),
        ("77.1.6", {}, "slide"),
        ("66.4", {}, "SEG"),
        ("66.7", {}, "SEG"),
        ("481.3", {}, "RTSTRUCT"),
        ("481.5", {}, "RTPLAN"),
        ("481.2", {"Rows": 1}, "RTDOSE"),
        ("88.34", {}, "SR"),
        ("88.59", {}, "KO"),
        ("11.1", {}, "PR"),
        ("104.1", {}, "PDF document"),
        ("104.3", {}, "STL document"),
        ("91.1", {}, "ANN"),
        ("67", {}, "RWV"),
        ("66.1", {}, "REG"),
        ("30", {"Rows": 1}, "parametric map"),
        ("9.1.1", {}, "waveform"),
        ("66", {}, "other"),  # raw data
        ("", {"Modality": "SEG"}, "SEG"),
        ("", {"Modality": "DOC"}, "document"),
    ],
)
def test_by_sop_class_else_by_modality(sop_class: str, values: dict[str, Any], expected: str) -> None:
    assert role(made(sop_class, **values)) == expected


def test_every_storage_class_has_a_role() -> None:
    for uid, entry in UID_dictionary.items():
        if uid.startswith(STORAGE) and entry[1] == "SOP Class":
            assert role(made(uid.removeprefix(STORAGE)))


def test_the_files_of_the_tests() -> None:
    for name, expected in {
        "ct-seg-sr/ct/01.dcm": "original",
        "ct-seg-sr/seg/liver.dcm": "SEG",
        "ct-seg-sr/pet-measurements/rwvm.dcm": "RWV",
        "rt-breast/rtss.dcm": "RTSTRUCT",
        "seg-sm-ann-sr/sm_image.dcm": "slide (volume)",
        "seg-sm-ann-sr/sr_document.dcm": "SR",
    }.items():
        dataset = pydicom.dcmread(DATA / name, specific_tags=list(ROLE_FIELDS))
        assert role(dataset.to_json_dict()) == expected


def test_what_is_derived() -> None:
    assert not any(map(is_derived, ("original", "localizer", "image", "slide", "slide (label)")))
    assert all(map(is_derived, ("SEG", "derived", "derived (reformat)", "secondary capture", "PDF document", "other")))


@pytest.mark.parametrize("value", [None, 3, [], [None], [3], [{}], "x"])
def test_anything_may_stand_in_an_image_type(value: Any) -> None:
    assert role({"00080008": {"vr": "CS", "Value": value}, "00280010": {"vr": "US", "Value": [1]}}) == "image"


# ---- distinctions


def test_what_tells_segmentations_apart() -> None:
    dataset = pydicom.dcmread(DATA / "ct-seg-sr/seg/partial_overlaps.dcm", stop_before_pixels=True)
    labels = [segment.SegmentLabel for segment in dataset.SegmentSequence]
    found = distinctions(dataset.to_json_dict())
    assert found["ContentLabel"] == dataset.ContentLabel
    assert found["segments"] == ", ".join(labels[:4]) + " and 1 more"
    assert len(labels) == 5
    assert found["algorithm"] == "MANUAL"
    assert found["made"] == "2023-12-06 20:20:52"
    assert "ContentDescription" not in found  # the same as the label


def test_a_report_by_its_title_and_a_structure_set_by_its_label() -> None:
    report = pydicom.dcmread(DATA / "seg-sm-ann-sr/sr_document.dcm")
    assert distinctions(report.to_json_dict())["title"] == report.ConceptNameCodeSequence[0].CodeMeaning
    structures = pydicom.dcmread(DATA / "rt-breast/rtss.dcm", specific_tags=["StructureSetLabel"])
    assert distinctions(structures.to_json_dict())["StructureSetLabel"] == structures.StructureSetLabel


def test_distinctions_are_short_and_harmless() -> None:
    segments = [{"00620005": {"vr": "LO", "Value": [f"S{n}\x1b[2J\u202e" + "x" * 500]}} for n in range(1_000)]
    found = distinctions(
        {
            "00620002": {"vr": "SQ", "Value": segments},
            "00700080": {"vr": "CS", "Value": ["evil\n\rname" * 100]},
            "00080023": {"vr": "DA", "Value": [17]},
        }
    )
    shown = str(found)
    assert len(shown) < 1_000
    assert shown.isprintable()
    assert "and 996 more" in found["segments"]
