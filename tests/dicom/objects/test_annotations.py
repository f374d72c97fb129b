"""Bulk annotations: real ones compared with highdicom and numpy, made ones for what goes wrong."""

import base64
import json
import struct

import highdicom as hd
import numpy as np
import pytest

from dicom.objects.sr.content_items import DATA, MM, code, obj, real
from dicomweb_mcp.dicom.objects.annotations import describe
from dicomweb_mcp.dicom.values import DicomJson, normalized

AREA = ("42798000", "SCT", "Area")


def group(number: int, values: dict[str, object] | None = None) -> DicomJson:
    made = obj(
        AnnotationGroupNumber=number, AnnotationGroupLabel=f"g{number}", AnnotationGroupGenerationType="MANUAL", GraphicType="POINT",
        NumberOfAnnotations=3, AnnotationAppliesToAllOpticalPaths="NO", ReferencedOpticalPathIdentifier=["1", "2"],
    )  # fmt: skip
    if values is not None:
        made |= obj(
            MeasurementsSequence=obj(
                ConceptNameCodeSequence=code(*AREA), MeasurementUnitsCodeSequence=code(*MM),
                MeasurementValuesSequence={"00660125": {"vr": "OF", **values}},
            )
        )  # fmt: skip
    return made


def inline(*values: float) -> dict[str, object]:
    return {"InlineBinary": base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()}


def measured(values: dict[str, object]) -> str:
    found = describe(normalized(obj(AnnotationGroupSequence=group(1, values))))
    return str(found.items[0]["measurements"][0])


def test_the_groups_of_a_slide_are_those_that_highdicom_reads() -> None:
    path = "seg-sm-ann-sr/sm_annotations.dcm"
    found = describe(real(path))
    read = hd.ann.annread(DATA / path)
    assert found.facts["AnnotationCoordinateType"] == read.annotation_coordinate_type.value
    assert found.facts["annotations"] == sum(one.number_of_annotations for one in read.get_annotation_groups())
    assert len(found.items) == len(read.get_annotation_groups())
    for row, one in zip(found.items, read.get_annotation_groups(), strict=True):
        assert row["AnnotationGroupNumber"] == one.number
        assert row["AnnotationGroupLabel"] == one.label
        assert row["GraphicType"] == one.graphic_type.value
        assert row["NumberOfAnnotations"] == one.number_of_annotations
        assert row["type"].startswith(one.annotated_property_type.meaning)
        assert row["category"].startswith(one.annotated_property_category.meaning)
        names, values, units = one.get_measurements()
        low, high, mean = values[:, 0].min(), values[:, 0].max(), values[:, 0].mean()
        assert row["measurements"] == [
            f"{names[0].meaning} ({units[0].value}): {len(values)} values, {low:.7g}..{high:.7g}, mean {mean:.7g}"
        ]


def test_the_annotations_of_a_whole_slide_of_idc_without_their_coordinates() -> None:
    """194,137 nuclei; server's own shape of BulkDataURI."""
    held = json.loads((DATA / "slide-metadata/TCGA-05-4244-01Z-00-DX1.json").read_text())["annotations"][0]
    found = describe(normalized(held))
    assert found.facts["annotations"] == 194_137
    assert found.facts["AnnotationCoordinateType"] == "3D"
    assert found.items == [
        {
            "AnnotationGroupNumber": 1,
            "AnnotationGroupLabel": "nuclei",
            "AnnotationGroupGenerationType": "AUTOMATIC",
            "algorithm": "Pan-Cancer-Nuclei-Seg 1.0 (Artificial Intelligence)",
            "category": "Anatomical Stucture (91723000, SCT)",
            "type": "Nucleus (84640000, SCT)",
            "GraphicType": "POINT",
            "NumberOfAnnotations": 194_137,
            "optical_paths": "all",
            "z_planes": "0.0",
            "measurements": ["Area (um2): values not read"],
        }
    ]
    assert found.elided == ["the coordinates of the annotations, which are never shown"]


def test_groups_state_once_what_they_share() -> None:
    found = describe(obj(AnnotationGroupSequence=[group(1), group(2)]))
    assert found.facts["GraphicType"] == "POINT"
    assert found.facts["optical_paths"] == "1, 2"
    assert found.facts["annotations"] == 6
    assert found.items == [
        {"AnnotationGroupNumber": 1, "AnnotationGroupLabel": "g1"},
        {"AnnotationGroupNumber": 2, "AnnotationGroupLabel": "g2"},
    ]


def test_values_that_the_archive_dropped_are_missed() -> None:
    """Orthanc gives the first value of an OF only. Values that name their annotations need not be as many as these."""
    assert measured({"Value": [20.5]}) == "Area (mm): the metadata have 1 of 3 values, 20.5..20.5, mean 20.5"
    named = group(1, {"Value": [20.5]})
    (measurement,) = named["00660121"]["Value"]
    measurement["00660132"]["Value"][0]["006A0011"] = {"vr": "OL", "Value": [2]}
    found = describe(normalized(obj(AnnotationGroupSequence=named)))
    assert found.items[0]["measurements"] == ["Area (mm): 1 value, 20.5..20.5, mean 20.5"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (inline(1.5, 2.5, 80.25), "Area (mm): 3 values, 1.5..80.25, mean 28.08333"),
        (inline(1.5, float("nan"), 2.5), "Area (mm): 3 values (1 of them no number), 1.5..2.5, mean 2"),
        (inline(float("inf")), "Area (mm): the metadata have 1 of 3 values (1 of them no number)"),
        (inline(), "Area (mm): the metadata have 0 of 3 values"),
        ({"Value": [1, 2.5, "x"]}, "Area (mm): 3 values (1 of them no number), 1..2.5, mean 1.75"),
        ({"BulkDataURI": "bulkdata/1"}, "Area (mm): values not read (bulk data)"),
        ({"InlineBinary": "AAA="}, "Area (mm): values not read"),
        ({"InlineBinary": "A" * 20_000_000}, "Area (mm): values not read"),
        ({}, "Area (mm): values not read"),
    ],
    ids=range(9),
)
def test_values_are_summed_up_where_they_are_at_hand(values: dict[str, object], words: str) -> None:
    assert measured(values) == words


def test_a_million_inline_values_are_read() -> None:
    values = np.linspace(-3, 7, 1_000_000, dtype=np.float32)
    words = measured({"InlineBinary": base64.b64encode(values.tobytes()).decode()})
    assert words == "Area (mm): 1000000 values, -3..7, mean 2"


def test_a_sum_of_annotations_is_not_claimed_where_a_group_does_not_say_its_number() -> None:
    silent = {tag: held for tag, held in group(1).items() if tag != "006A000C"}
    assert "annotations" not in describe(obj(AnnotationGroupSequence=[silent, group(2)])).facts
