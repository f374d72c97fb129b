"""What highdicom says of objects, as sentences."""

from copy import deepcopy

import pydicom
import pytest

from dicomweb_mcp.dicom.objects import conformance
from dicomweb_mcp.dicom.objects.conformance import problems
from segmentations import DATA, FILES, as_json, read

OTHERS = [
    "ct-seg-sr/pet-measurements/sr.dcm", "seg-sm-ann-sr/sr_document.dcm",
    "seg-sm-ann-sr/sr_document_with_multiple_groups.dcm", "seg-sm-ann-sr/sm_annotations.dcm",
]  # fmt: skip


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
def test_conformant_objects_have_no_problems(name: str) -> None:
    assert problems(as_json(pydicom.dcmread(DATA / name))) == []


def test_a_damaged_segmentation_is_told_in_one_sentence() -> None:
    damaged = deepcopy(read("ct-seg-sr/23x38x3/seg.dcm"))
    del damaged.SharedFunctionalGroupsSequence
    (said,) = problems(as_json(damaged))
    assert (
        said
        == "Not conformant to highdicom's reading of the standard: SharedFunctionalGroupsSequence is missing, or the archive left it out of the metadata."
    )


def test_values_that_no_dataset_can_hold_are_told() -> None:
    obj = as_json(read("ct-seg-sr/23x38x3/seg.dcm"))
    (said,) = problems({**obj, "00280010": {"vr": "US", "Value": ["nonsense"]}})
    assert said.startswith("Not conformant")
    assert len(said) < 350


def test_what_highdicom_says_is_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> None:
        raise ValueError(
            "broken\x1b[2J\nat /home/someone/secret.py or C:\\temp\\file.dcm, see https://host.test/x?y=1" + "z" * 999
        )

    monkeypatch.setattr(conformance, "_read", failing)
    (said,) = problems(as_json(read("ct-seg-sr/23x38x3/seg.dcm")))
    assert said.isprintable()
    assert not any(word in said for word in ("someone", "temp", "host.test"))
    assert len(said) < 350


def test_other_kinds_are_not_judged() -> None:
    assert problems({"00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]}}) == []


def test_large_objects_are_not_judged() -> None:
    obj = as_json(read("ct-seg-sr/23x38x3/seg.dcm"))
    obj["00620002"] = {"vr": "SQ", "Value": [{"00620004": {"vr": "US", "Value": [1]}}] * 300_000}
    assert problems(obj) == ["Too large to be checked for conformance."]
