"""What get_metadata answers, within its budget on both halves, whatever the input."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.dicom.summary import Summary
from dicomweb_mcp.dicom.summary.fields import parse_fields
from dicomweb_mcp.dicom.tags import by_tag, tag_of
from dicomweb_mcp.services.metadata import Metadata
from dicomweb_mcp.services.series import Reading
from dicomweb_mcp.services.study.table import StudyTable
from dicomweb_mcp.tools.answers import MetadataAnswer, as_text
from dicomweb_mcp.tools.metadata import metadata_answer

SERIES = Place("1.2.3", "1.2.3.4")
USUAL = ("Modality", "Manufacturer", "KVP", "SliceThickness", "SeriesDescription", "PatientName", "Rows", "StudyDate")
TAGS = [f"{group:04X}{element:04X}" for group in (0x0018, 0x0028, 0x0040) for element in range(0x10, 0x1500, 0x11)]
NAMED = [tag for tag in TAGS if by_tag(tag).keyword] + [tag_of(keyword) for keyword in USUAL]


def halves(answer: MetadataAnswer) -> tuple[int, int]:
    structured = answer.structured()
    return len(as_text(structured)), len(json.dumps(structured, separators=(",", ":"), ensure_ascii=False))


def made(objects: list[dict[str, Any]], **more: Any) -> Metadata:
    summary = Summary()
    for obj in objects:
        summary.add(obj, parse_fields(None), private=False)
    return Metadata(SERIES, Reading(summary, total=len(objects)), **more)


def text(values: list[str]) -> dict[str, Any]:
    return {"vr": "LO", "Value": values}


anything = st.one_of(
    st.lists(st.text(max_size=300), min_size=1, max_size=8).map(text),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=30).map(lambda found: {"vr": "FD", "Value": found}),
    st.just({"vr": "SQ", "Value": [{"00080100": text(["x" * 50])}] * 40}),
    st.just({"vr": "OB", "BulkDataURI": "http://x/" + "y" * 300}),
)
an_object = st.dictionaries(st.sampled_from(NAMED), anything, max_size=60)


@given(
    st.lists(an_object, min_size=1, max_size=3),
    st.sampled_from([1_000, 2_000, 8_000, 40_000]),
    st.lists(st.text(max_size=400), max_size=30),
    st.lists(st.text(max_size=600), max_size=8),
)
def test_both_halves_keep_the_budget(
    objects: list[dict[str, Any]], budget: int, phrases: list[str], notes: list[str]
) -> None:
    geometry = {"verdict": "Not one regular volume.", **{f"part_{n}": phrase for n, phrase in enumerate(phrases)}}
    found = made(objects, geometry=geometry, acquisition=phrases)
    found.reading.notes += notes
    answer = metadata_answer("pacs", found, budget)
    assert max(halves(answer)) <= budget
    assert answer.geometry["verdict"] == "Not one regular volume."


def test_what_matters_least_gives_way_first_and_everything_is_named() -> None:
    usual = {tag_of(keyword): text([keyword * 3]) for keyword in USUAL}
    unusual = {tag: text([f"{'z' * 60}{tag}"]) for tag in NAMED if tag not in usual}
    answer = metadata_answer("pacs", made([{**usual, **unusual}]), 3_000)
    assert set(USUAL) - {"KVP"} <= answer.constant.keys() | {"KVP"}
    said = " ".join(answer.elided)
    gone = [name for tag in unusual if (name := by_tag(tag).keyword) not in answer.constant]
    assert f"{len(gone)} attributes left out for space" in said
    assert "fields" in said


@pytest.mark.parametrize("rows", [0, 3, 500])
def test_the_table_of_a_study_names_how_many_series_it_lacks(rows: int) -> None:
    table = StudyTable([{"SeriesInstanceUID": f"1.2.{n}", "Modality": "CT", "role": "original"} for n in range(rows)])
    table.study, table.instances = {"StudyInstanceUID": "1.2.3", "PatientID": "P1"}, 7
    answer = metadata_answer("pacs", Metadata(Place("1.2.3"), Reading(), table=table), 8_000)
    assert max(halves(answer)) <= 8_000
    assert answer.instances == 7
    assert answer.constant == {"PatientID": "P1"}
    missing = rows - len(answer.series)
    assert (f"{missing} series left out" in " ".join(answer.elided)) is bool(missing)


def test_units_go_with_the_constants_they_belong_to() -> None:
    thickness = {tag_of("SliceThickness"): {"vr": "DS", "Value": [2.5]}}
    flood = Reading(made([thickness]).reading.summary, total=1, notes=["n" * 150] * 40)
    answer = metadata_answer("pacs", Metadata(SERIES, flood), 1_000)
    assert max(halves(answer)) <= 1_000
    assert not answer.constant
    assert "units" not in answer.structured()


def test_units_stand_beside_constants_in_the_text_and_apart_in_the_structure() -> None:
    thickness = {tag_of("SliceThickness"): {"vr": "DS", "Value": [1.25]}}
    answer = metadata_answer("pacs", made([thickness, thickness]), 8_000)
    assert answer.structured()["constant"] == {"SliceThickness": 1.25}
    assert answer.structured()["units"] == {"SliceThickness": "mm"}
    assert "SliceThickness: 1.25 mm" in as_text(answer.structured())
    assert "units" not in as_text(answer.structured())
