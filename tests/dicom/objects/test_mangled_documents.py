"""Whatever an archive makes of an object, a describer answers, and with harmless text of bounded length."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicom.objects.sr.content_items import code, container, image, item, measured, obj, real, report, text
from dicomweb_mcp.dicom.objects import annotations, document, key_objects, presentation_state
from dicomweb_mcp.dicom.objects.description import Description
from dicomweb_mcp.dicom.objects.sr import report as reports
from dicomweb_mcp.dicom.values import DicomJson, normalized

DESCRIBERS: list[Callable[[DicomJson], Description]] = [
    annotations.describe, document.describe, key_objects.describe, presentation_state.describe, reports.describe,
]  # fmt: skip
NAME = ("1", "99X", "Name")


def objects() -> list[DicomJson]:
    """One of every sort, with a bit of everything in it."""
    dose = container(("113819", "DCM", "CT Acquisition"), measured(("113838", "DCM", "DLP"), 1))
    event = container(("113811", "DCM", "CT Accumulated Dose Data"), measured(("113813", "DCM", "Total"), 1))
    state = obj(
        ReferencedSeriesSequence=obj(SeriesInstanceUID="1.2", ReferencedImageSequence=obj(ReferencedSOPInstanceUID="1.3")),
        SoftcopyVOILUTSequence=obj(WindowCenter=[1, 2], WindowWidth=[3, 4], WindowCenterWidthExplanation=["a", "b"]),
        DisplayedAreaSelectionSequence=obj(DisplayedAreaTopLeftHandCorner=[1, 1], DisplayedAreaBottomRightHandCorner=[2, 2]),
        GraphicAnnotationSequence=obj(
            GraphicLayer="L", TextObjectSequence=obj(UnformattedTextValue="t"), GraphicObjectSequence=obj(GraphicType="POINT")
        ),
        BlendingSequence=obj(BlendingPosition="UNDERLYING", ReferencedSeriesSequence=obj(SeriesInstanceUID="1.2")),
        VolumetricPresentationStateInputSequence=obj(VolumetricPresentationInputNumber=1),
        MaskSubtractionSequence=obj(MaskOperation="TID", MaskFrameNumbers=[1]), ImageRotation=90, ShutterShape=["CIRCULAR"],
    )  # fmt: skip
    held = obj(
        DocumentTitle="t", EncapsulatedDocumentLength=4, MIMETypeOfEncapsulatedDocument="application/pdf",
        ConceptNameCodeSequence=code(*NAME), SourceInstanceSequence=obj(ReferencedSOPInstanceUID="1.2"),
    )  # fmt: skip
    return [
        real("seg-sm-ann-sr/sr_document_with_multiple_groups.dcm"), real("seg-sm-ann-sr/sm_annotations.dcm"),
        real(str(get_testdata_file("test-SR.dcm"))), report(dose, event, image("1.2.3"), text("x")), state, held,
        report(item("SCOORD", NAME, GraphicData=[1.0]), obj(ReferencedContentItemIdentifier=[1, 1])),
    ]  # fmt: skip


OBJECTS = objects()
STRANGE: list[Any] = [
    None, "", "abc", "\x1b[31m\u202e\n", -1, 0, 3, 1e308, float("nan"), float("inf"), 2**63, 10**30, True, [], [[]], [None], {},
    ["1", "x"], "9" * 5_000, [1, 1, 2**40], {"vr": "SQ", "Value": [{}]}, {"Value": [None]}, {"vr": 7, "Value": "abc"},
    {"vr": "SQ", "Value": [1, "a", None]}, {"BulkDataURI": "http://pacs.test/1"}, {"vr": "DS", "Value": ["NaN", "1e400"]},
    {"vr": "PN", "Value": [{"Alphabetic": 5}]}, {"InlineBinary": "=A"},
]  # fmt: skip


def mangled(value: Any, chance: random.Random, share: float) -> Any:
    if chance.random() < share:
        return chance.choice(STRANGE)
    if isinstance(value, dict):
        return {key: mangled(member, chance, share) for key, member in value.items() if chance.random() >= share / 2}
    if isinstance(value, list):
        return [mangled(member, chance, share) for member in value if chance.random() >= share / 4]
    return value


def is_harmless(value: Any) -> bool:
    """Printable texts of bounded length, numbers, and lists and objects of these."""
    if isinstance(value, dict):
        return all(is_harmless(member) for pair in value.items() for member in pair)
    if isinstance(value, list):
        return all(map(is_harmless, value))
    if isinstance(value, str):
        return value.isprintable() and len(value) < 3_000
    return isinstance(value, int) or (isinstance(value, float) and abs(value) < float("inf"))


@pytest.mark.parametrize("describe", DESCRIBERS, ids=lambda one: one.__module__.rpartition(".")[2])
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.01, 0.05, 0.3]), which=st.sampled_from(range(len(OBJECTS))))
@settings(max_examples=80)
def test_no_mangled_object_is_too_strange(
    describe: Callable[[DicomJson], Description], seed: int, share: float, which: int
) -> None:
    chance = random.Random(seed)
    strange = {tag: mangled(member, chance, share) for tag, member in OBJECTS[which].items()}
    found = describe(normalized(strange))
    assert is_harmless([found.facts, found.items, found.text, found.notes, found.elided])
    assert found.pages is None


def swollen(obj: DicomJson) -> dict[str, Any]:
    """The object with every value and every code a thousand times over; other items of sequences once."""
    found: dict[str, Any] = {}
    for tag, held in obj.items():
        values = held.get("Value") or []
        if held["vr"] == "SQ":
            is_code = any("00080104" in one for one in values)
            values = [swollen(one) for one in values] * (1_000 if is_code else 1)
        else:
            values = values * 1_000
        found[tag] = {**held, "Value": values} if values else held
    return found


@pytest.mark.parametrize("describe", DESCRIBERS, ids=lambda one: one.__module__.rpartition(".")[2])
def test_attributes_of_thousands_of_values_do_not_swell_a_description(
    describe: Callable[[DicomJson], Description],
) -> None:
    for held in OBJECTS:
        usual, found = describe(held), describe(swollen(held))
        rows = len(usual.items) + len(usual.text) + 10
        assert len(json.dumps([found.facts, found.items, found.text])) < 2_000 * rows
