"""Measurement groups as rows, compared with what highdicom finds in the same files; irradiation events."""

from typing import Any

import highdicom as hd
import pytest

from dicom.objects.sr.content_items import (
    DATA,
    MM,
    code,
    coded,
    container,
    image,
    item,
    measured,
    obj,
    real,
    report,
    text,
)
from dicomweb_mcp.dicom.objects.sr.report import describe
from dicomweb_mcp.dicom.objects.sr.table import MOST_ROWS

FILES = [
    "seg-sm-ann-sr/sr_document.dcm",
    "seg-sm-ann-sr/sr_document_with_multiple_groups.dcm",
    "ct-seg-sr/pet-measurements/sr.dcm",
]
GROUP = ("125007", "DCM", "Measurement Group")
FINDING = ("121071", "DCM", "Finding")
SITE = ("363698007", "SCT", "Finding Site")
MASS, LUNG, LEFT = ("4147007", "SCT", "Mass"), ("39607008", "SCT", "Lung"), ("7771000", "SCT", "Left")
DIAMETER = ("81827009", "SCT", "Diameter")
MEAN = ("373098007", "SCT", "Mean")
SCOPE = {"value", "unit", "measurement"}


def tracking(name: str) -> dict[str, Any]:
    return item("TEXT", ("112039", "DCM", "Tracking Identifier"), how="HAS OBS CONTEXT", TextValue=name)


def whole_rows(path: str) -> list[dict[str, Any]]:
    """The rows with what all of them share put back."""
    found = describe(real(path))
    return [found.facts | row for row in found.items]


def highdicom_groups(path: str) -> list[Any]:
    content = hd.sr.srread(DATA / path).content
    return [
        *content.get_image_measurement_groups(),
        *content.get_planar_roi_measurement_groups(),
        *content.get_volumetric_roi_measurement_groups(),
    ]


@pytest.mark.parametrize("path", FILES)
def test_every_measurement_that_highdicom_finds_is_a_row(path: str) -> None:
    rows = whole_rows(path)
    expected = set()
    for group in highdicom_groups(path):
        for one in group.get_measurements():
            name = one.name.meaning
            if one.derivation is not None:
                name += f" ({one.derivation.meaning})"
            elif one.method is not None:
                name += f" ({one.method.meaning})"
            expected.add((group.tracking_identifier, name, round(float(one.value), 9)))  # it prefers the floating point
    found = {(row["tracking_identifier"], row["measurement"], round(row["value"], 9)) for row in rows if "unit" in row}
    assert found == expected
    assert len(expected) in (1, 4, 22)


@pytest.mark.parametrize("path", FILES)
def test_what_groups_say_of_themselves_is_what_highdicom_reads(path: str) -> None:
    rows = {row["tracking_identifier"]: row for row in reversed(whole_rows(path))}
    groups = highdicom_groups(path)
    assert len(groups) == len(rows)
    for group in groups:
        row = rows[group.tracking_identifier]
        assert row["tracking_uid"] == group.tracking_uid
        assert row.get("finding", "").partition(" (")[0] == (group.finding_type.meaning if group.finding_type else "")
        sites = [site.value.meaning for site in group.finding_sites]
        assert row.get("finding_site", "").partition(" (T-")[0].partition(" (3")[0] == (sites[0] if sites else "")


def test_the_rows_of_a_pet_report_share_what_they_have_in_common() -> None:
    found = describe(real(FILES[2]))
    assert found.facts["segment"] == "1"
    assert found.facts["segmentation"] == "1.2.276.0.7230010.3.1.4.8323329.18591.1440001312.777033"
    assert found.facts["context"] == ["Procedure reported: PET whole body (44139-4, LN)"]
    assert found.facts["finding"] == "Neoplasm, Primary (M-80003, SRT)"
    assert found.items[0] == {"group": 1, "measurement": "SUVbw (Mean)", "value": 6.01529, "unit": "{SUVbw}g/ml"}
    assert found.text[-1] == "  Measurement Group: see items"
    assert "SUVbw" not in str(found.text)


def test_regions_images_and_sites_are_told_apart() -> None:
    region = item(
        "SCOORD", ("111030", "DCM", "Image Region"), image("1.2.3", how="SELECTED FROM", ReferencedFrameNumber=4),
        GraphicType="CIRCLE", GraphicData=[0.0] * 4,
    )  # fmt: skip
    site = coded(
        SITE, LUNG, coded(("272741003", "SCT", "Laterality"), LEFT, how="HAS CONCEPT MOD"), how="HAS CONCEPT MOD"
    )
    mean = coded(("121401", "DCM", "Derivation"), MEAN, how="HAS CONCEPT MOD")
    held = container(
        GROUP, tracking("nodule 1"), coded(FINDING, MASS), site, region, measured(DIAMETER, 12.5, MM, mean),
        coded(("129737002", "SRT", "Margin"), ("129738007", "SCT", "Circumscribed")), text("stable since 2019"),
    )  # fmt: skip
    shared = {
        "tracking_identifier": "nodule 1",
        "finding": "Mass (4147007, SCT)",
        "finding_site": "Lung (39607008, SCT), Left",
    }
    found = describe(report(held))
    assert found.facts.items() >= {**shared, "image": "1.2.3, frame 4", "region": "CIRCLE"}.items()
    assert found.items == [
        {"group": 1, "measurement": "Diameter (Mean)", "value": 12.5, "unit": "mm"},
        {"group": 1, "measurement": "Margin", "value": "Circumscribed (129738007, SCT)"},
        {"group": 1, "measurement": "Comment", "value": "stable since 2019"},
    ]


def test_what_a_measurement_alone_was_inferred_from_stands_in_its_row() -> None:
    """Also by reference, as in TID 300 of measurements on one of several regions."""
    region = item(
        "SCOORD", ("111030", "DCM", "Image Region"), image("1.2.9", how="SELECTED FROM"), GraphicType="POLYLINE"
    )
    by_reference = obj(RelationshipType="INFERRED FROM", ReferencedContentItemIdentifier=[1, 1, 1])
    held = container(GROUP, region, measured(DIAMETER, 1, MM, by_reference), measured(DIAMETER, 2, MM, image("1.2.8")))
    first, second = describe(report(held)).items
    assert (first["image"], first["region"]) == ("1.2.9", "POLYLINE")
    assert second["image"] == "1.2.8"
    assert "region" not in second


def test_groups_are_found_wherever_they_lie() -> None:
    """Nested in one another, below a section of another name, and in a report that claims no template."""
    inner = container(GROUP, tracking("inner"), measured(DIAMETER, 2))
    outer = container(GROUP, tracking("outer"), container(("1", "99X", "Odd"), measured(DIAMETER, 1)), inner)
    found = describe(report(container(("2", "99X", "Elsewhere"), outer)))
    assert [(row["tracking_identifier"], row["value"]) for row in found.items] == [("outer", 1), ("inner", 2)]
    assert found.facts["measurement_groups"] == 2


def test_a_group_without_measurements_is_a_row_too() -> None:
    found = describe(report(container(GROUP, tracking("empty"), coded(FINDING, MASS))))
    assert found.items == [{"group": 1, "tracking_identifier": "empty", "finding": "Mass (4147007, SCT)"}]


def test_long_columns_stand_in_the_first_row_of_a_group_and_that_is_said() -> None:
    groups = [
        container(GROUP, tracking(uid), image(uid), measured(DIAMETER, 1), measured(DIAMETER, 2))
        for uid in ("1.2.3", "1.2.4")
    ]
    found = describe(report(*groups))
    assert [row.get("image") for row in found.items] == ["1.2.3", None, "1.2.4", None]
    assert found.notes == ["image: in the first row of a group alone when the same for all of it."]
    assert [row["tracking_identifier"] for row in found.items] == ["1.2.3", "1.2.3", "1.2.4", "1.2.4"]


def test_a_column_that_not_all_rows_of_a_group_share_stands_in_each() -> None:
    """Else the image of the group would be taken for that of a measurement on another one."""
    both = container(
        GROUP, image("1.2.3"), measured(DIAMETER, 1), measured(DIAMETER, 2), measured(DIAMETER, 3, MM, image("1.2.8"))
    )
    found = describe(report(both, container(GROUP, measured(DIAMETER, 4))))
    assert [row.get("image") for row in found.items] == ["1.2.3", "1.2.3", "1.2.8", None]
    assert found.notes == []


def test_many_measurements_are_bounded_and_counted() -> None:
    held = [container(GROUP, *(measured(DIAMETER, value) for value in range(20))) for _ in range(100)]
    found = describe(report(*held))
    assert len(found.items) == MOST_ROWS
    assert found.elided == ["measurements after the first 1000: 50 groups hold more"]
    assert found.facts["measurement_groups"] == 100


def test_a_value_that_is_missing_says_why() -> None:
    failed = item("NUM", DIAMETER, NumericValueQualifierCodeSequence=code("114006", "DCM", "Measurement failure"))
    assert describe(report(container(GROUP, failed))).items[0]["value"] == "no value (Measurement failure)"


MGY, MGY_CM = ("mGy", "UCUM", "mGy"), ("mGy.cm", "UCUM", "mGy.cm")
PROTOCOL = ("125203", "DCM", "Acquisition Protocol")


def ct_event(protocol: str, *dose: dict[str, Any]) -> dict[str, Any]:
    below = [container(("113829", "DCM", "CT Dose"), *dose)] if dose else []
    return container(
        ("113819", "DCM", "CT Acquisition"), item("TEXT", PROTOCOL, TextValue=protocol),
        coded(("123014", "DCM", "Target Region"), ("69536005", "SCT", "Head")), *below,
    )  # fmt: skip


def test_irradiation_events_of_a_ct_dose_report_are_rows_and_its_totals_facts() -> None:
    found = describe(
        report(
            container(
                ("113811", "DCM", "CT Accumulated Dose Data"),
                measured(("113812", "DCM", "Total Number of Irradiation Events"), 2, ("{events}", "UCUM", "events")),
                measured(("113813", "DCM", "CT Dose Length Product Total"), 613.2, MGY_CM),
            ),
            ct_event("Scout"),
            ct_event(
                "Head",
                measured(("113830", "DCM", "Mean CTDIvol"), 38.5, MGY),
                measured(("113838", "DCM", "DLP"), 613.2, MGY_CM),
            ),
        )
    )
    assert found.facts["irradiation_events"] == 2
    assert found.facts["accumulated"] == [
        "Total Number of Irradiation Events: 2 events",
        "CT Dose Length Product Total: 613.2 mGy.cm",
    ]
    assert found.facts["target_region"] == "Head"
    assert found.items == [
        {"event": 1, "protocol": "Scout"},
        {"event": 2, "protocol": "Head", "mean_ctdi_vol": "38.5 mGy", "dlp": "613.2 mGy.cm"},
    ]
    assert found.text[-1] == "CT Acquisition × 2: see items"


def test_irradiation_events_of_a_projection_dose_report_are_rows() -> None:
    event = container(
        ("113706", "DCM", "Irradiation Event X-Ray Data"),
        item("DATETIME", ("111526", "DCM", "DateTime Started"), DateTime="20260131101500"),
        measured(("122130", "DCM", "Dose Area Product"), 0.00012, ("Gy.m2", "UCUM", "Gy.m2")),
        measured(("113738", "DCM", "Dose (RP)"), 0.003, ("Gy", "UCUM", "Gy")),
    )
    total = measured(("113722", "DCM", "Dose Area Product Total"), 0.00012, ("Gy.m2", "UCUM", "Gy.m2"))
    found = describe(report(container(("113702", "DCM", "Accumulated X-Ray Dose Data"), total), event))
    assert found.items == [
        {"event": 1, "started": "2026-01-31T10:15:00", "dose_area_product": "0.00012 Gy.m2", "dose_rp": "0.003 Gy"}
    ]
    assert found.facts["accumulated"] == ["Dose Area Product Total: 0.00012 Gy.m2"]


def test_the_codes_of_dose_reports_are_those_of_the_standard() -> None:
    from pydicom.sr.codedict import codes

    from dicomweb_mcp.dicom.objects.sr.irradiation_events import ACCUMULATED, COLUMNS, EVENTS

    known = {codes.DCM.__getattr__(name).value: name for name in codes.DCM.dir()}
    names = {code: known[code] for code in [*COLUMNS, *(code for code, _ in EVENTS | ACCUMULATED)]}
    assert names["113830"] == "MeanCtdivol"
    assert names["113738"] == "DoseRP"
    assert names["122130"] == "DoseAreaProduct"
    assert names["113706"] == "IrradiationEventXRayData"
