"""Attributes that name a person are found in the headers of files, held against pydicom; their values go nowhere."""

from contextlib import suppress
from pathlib import Path

import pydicom
import pytest

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.archives.part10.outgoing import OnDisk, Outgoing, checked
from dicomweb_mcp.archives.part10.whole import Unfit
from dicomweb_mcp.dicom.identifying import NAMING


def fit_files() -> list[Outgoing]:
    found = []
    for path in sorted(SAMPLES.rglob("*")):
        with suppress(Unfit):
            found.append(checked(path.resolve()))
    return found


def test_of_every_shipped_file_the_same_are_found_as_by_pydicom() -> None:
    found = fit_files()
    assert len(found) > 100
    naming = set()
    for file in found:
        assert isinstance(file.content, OnDisk)
        dataset = pydicom.dcmread(file.content.path)
        expected = {keyword for keyword in NAMING.values() if str(dataset.get(keyword) or "").strip(" ^=\\")}
        assert {name for name in file.identifying if " " not in name} == expected, file.content.path
        naming |= expected
    assert {"PatientName", "PatientBirthDate", "ReferringPhysicianName", "OperatorsName"} <= naming


def test_every_keyword_is_the_standards() -> None:
    assert {pydicom.datadict.keyword_for_tag(tag): keyword for tag, keyword in NAMING.items()} == {
        keyword: keyword for keyword in NAMING.values()
    }


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"BurnedInAnnotation": "YES"}, ("BurnedInAnnotation YES",)),
        ({"BurnedInAnnotation": "NO"}, ()),
        ({"PatientIdentityRemoved": "YES"}, ("PatientIdentityRemoved YES",)),
        ({"PatientIdentityRemoved": "no "}, ("PatientIdentityRemoved NO",)),
        ({"PatientIdentityRemoved": "Jane Doe"}, ()),
        ({"PatientName": None}, ()),
        ({"PatientName": "^^ ^"}, ()),
        ({"PatientName": "山田^太郎", "SpecificCharacterSet": "ISO_IR 192"}, ("PatientName",)),
        ({"OtherPatientIDsSequence": []}, ()),
        ({"OtherPatientIDsSequence": [pydicom.Dataset()]}, ("OtherPatientIDsSequence",)),
    ],
)
def test_what_a_file_says_of_itself(said: dict[str, object], told: tuple[str, ...], tmp_path: Path) -> None:
    path = make_file(tmp_path.resolve() / "x.dcm", "1.2", "1.2.3", "1.2.3.4", **{"PatientName": "", **said})
    assert checked(path).identifying == told
