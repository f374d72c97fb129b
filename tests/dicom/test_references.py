"""What objects refer to: real files against what pydicom reads from them, and made ones for every other way."""

from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom import Dataset
from pydicom.sequence import Sequence

from dicomweb_mcp.dicom.references import (
    LARGE,
    MOST_INSTANCES,
    MOST_REFERENCES,
    REFERENCE_FIELDS,
    Reference,
    references,
)

DATA = Path(__file__).parent.parent / "data"
CT = "1.2.840.10008.5.1.4.1.1.2"


def read(name: str) -> tuple[Dataset, list[Reference]]:
    dataset = pydicom.dcmread(DATA / name, stop_before_pixels=True)
    return dataset, references(dataset.to_json_dict(suppress_invalid_tags=True))


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, Sequence(value) if isinstance(value, list) else value)
    return made


def of(**values: Any) -> list[Reference]:
    return references(item(**values).to_json_dict())


def instance(uid: str, **more: Any) -> Dataset:
    return item(ReferencedSOPClassUID=CT, ReferencedSOPInstanceUID=uid, **more)


def coded(meaning: str, value: str = "1") -> list[Dataset]:
    return [item(CodeValue=value, CodingSchemeDesignator="DCM", CodeMeaning=meaning)]


def test_a_segmentation_names_its_series_and_the_images_of_its_frames() -> None:
    dataset, found = read("ct-seg-sr/seg/liver.dcm")
    series = dataset.ReferencedSeriesSequence[0]
    uids = tuple(one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence)
    assert found[0] == Reference(
        "ReferencedSeriesSequence", "", dataset.StudyInstanceUID, series.SeriesInstanceUID, "", uids, len(uids), CT
    )
    of_frames = {
        source.ReferencedSOPInstanceUID
        for frame in dataset.PerFrameFunctionalGroupsSequence
        for derivation in frame.DerivationImageSequence
        for source in derivation.SourceImageSequence
    }
    assert found[1].evidence == "SourceImageSequence of the frames"
    assert found[1].series_uid == series.SeriesInstanceUID  # which the frames do not say themselves
    assert set(found[1].instances) == of_frames
    assert found[1].count == len(of_frames)
    assert found[1].purpose == "Source image for image processing operation"
    assert found[-1] == Reference("FrameOfReferenceUID", frame_of_reference_uid=dataset.FrameOfReferenceUID)
    assert len(found) == 3


def test_a_structure_set_names_its_series_below_a_study() -> None:
    dataset, found = read("rt-breast/rtss.dcm")
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    study = frame.RTReferencedStudySequence[0]
    series = study.RTReferencedSeriesSequence[0]
    uids = [one.ReferencedSOPInstanceUID for one in series.ContourImageSequence]
    assert [one.evidence for one in found] == ["RTReferencedSeriesSequence", "FrameOfReferenceUID"]
    assert found[0].study_uid == study.ReferencedSOPInstanceUID
    assert found[0].series_uid == series.SeriesInstanceUID
    assert found[0].count == len(set(uids)) == 98
    assert found[0].instances == tuple(uids[:MOST_INSTANCES])
    assert found[1].frame_of_reference_uid == frame.FrameOfReferenceUID


def test_a_plan_names_its_structure_set_by_instance_alone() -> None:
    dataset, found = read("rt-breast/rtplan.dcm")
    structure_set = dataset.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID
    assert (found[0].evidence, found[0].purpose) == ("ReferencedStructureSetSequence", "structure set")
    assert (found[0].study_uid, found[0].series_uid, found[0].instances) == ("", "", (structure_set,))


def test_a_report_names_its_evidence_and_what_its_tree_refers_to() -> None:
    dataset, found = read("ct-seg-sr/pet-measurements/sr.dcm")
    study = dataset.CurrentRequestedProcedureEvidenceSequence[0]
    evidence = {
        series.SeriesInstanceUID: len(series.ReferencedSOPSequence) for series in study.ReferencedSeriesSequence
    }
    named = [one for one in found if one.evidence == "CurrentRequestedProcedureEvidenceSequence"]
    assert {one.series_uid: one.count for one in named} == evidence
    assert {one.study_uid for one in named} == {study.StudyInstanceUID}
    in_tree = {one.purpose: one for one in found if one.evidence == "ContentSequence"}
    segment = in_tree["Referenced Segment"]
    assert segment.sop_class == "1.2.840.10008.5.1.4.1.1.66.4"
    assert segment.series_uid in evidence
    assert in_tree["Source series for image segmentation"].series_uid in evidence


def test_slide_annotations_and_segmentations_name_the_slide() -> None:
    for name in ("sm_annotations.dcm", "seg_image_sm_dots.dcm"):
        dataset, found = read(f"seg-sm-ann-sr/{name}")
        series = dataset.ReferencedSeriesSequence[0]
        assert found[0].series_uid == series.SeriesInstanceUID
        assert found[0].instances == (series.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID,)
        assert {one.series_uid for one in found if not one.frame_of_reference_uid} == {series.SeriesInstanceUID}


WAYS = [
    ("SourceImageSequence", {"SourceImageSequence": [instance("1.9")]}, "source image"),
    (
        "SourceImageSequence",
        {"SourceImageSequence": [instance("1.9", PurposeOfReferenceCodeSequence=coded("Mask image"))]},
        "Mask image",
    ),
    (
        "SourceImageSequence of the frames",
        {
            "SharedFunctionalGroupsSequence": [
                item(DerivationImageSequence=[item(SourceImageSequence=[instance("1.9")])])
            ]
        },
        "source image",
    ),
    (
        "ContourImageSequence",
        {"ROIContourSequence": [item(ContourSequence=[item(ContourImageSequence=[instance("1.9")])])]},
        "",
    ),
    ("ReferencedRTPlanSequence", {"ReferencedRTPlanSequence": [instance("1.9")]}, "plan"),
    ("ReferencedDoseSequence", {"ReferencedDoseSequence": [instance("1.9")]}, "dose"),
    ("RegistrationSequence", {"RegistrationSequence": [item(ReferencedImageSequence=[instance("1.9")])]}, "registered"),
    (
        "DeformableRegistrationSequence",
        {"DeformableRegistrationSequence": [item(ReferencedImageSequence=[instance("1.9")])]},
        "registered",
    ),
    ("FiducialSetSequence", {"FiducialSetSequence": [item(ReferencedImageSequence=[instance("1.9")])]}, "fiducials"),
    (
        "ReferencedImageRealWorldValueMappingSequence",
        {"ReferencedImageRealWorldValueMappingSequence": [item(ReferencedImageSequence=[instance("1.9")])]},
        "values mapped",
    ),
    ("SourceInstanceSequence", {"SourceInstanceSequence": [instance("1.9")]}, "source"),
    ("ReferencedImageSequence", {"ReferencedImageSequence": [instance("1.9")]}, ""),
    ("ReferencedInstanceSequence", {"ReferencedInstanceSequence": [instance("1.9")]}, ""),
    ("ReferencedWaveformSequence", {"ReferencedWaveformSequence": [instance("1.9")]}, "waveform"),
    (
        "GraphicAnnotationSequence",
        {"GraphicAnnotationSequence": [item(ReferencedImageSequence=[instance("1.9")])]},
        "annotated",
    ),
    (
        "ContentSequence",
        {
            "ContentSequence": [
                item(
                    ContentSequence=[
                        item(ConceptNameCodeSequence=coded("Best image"), ReferencedSOPSequence=[instance("1.9")])
                    ]
                )
            ]
        },
        "Best image",
    ),
]


@pytest.mark.parametrize(("evidence", "values", "purpose"), WAYS, ids=[way[0] + way[2][:4] for way in WAYS])
def test_every_way_to_name_an_instance(evidence: str, values: dict[str, Any], purpose: str) -> None:
    assert of(**values) == [Reference(evidence, purpose, instances=("1.9",), count=1, sop_class=CT)]


SERIES_WAYS = [
    ("ReferencedSeriesSequence", [item(SeriesInstanceUID="1.2", ReferencedImageSequence=[instance("1.9")])], "1.1"),
    (
        "StudiesContainingOtherReferencedInstancesSequence",
        [
            item(
                StudyInstanceUID="1.7",
                ReferencedSeriesSequence=[item(SeriesInstanceUID="1.2", ReferencedInstanceSequence=[instance("1.9")])],
            )
        ],
        "1.7",
    ),
    (
        "PertinentOtherEvidenceSequence",
        [
            item(
                StudyInstanceUID="1.7",
                ReferencedSeriesSequence=[item(SeriesInstanceUID="1.2", ReferencedSOPSequence=[instance("1.9")])],
            )
        ],
        "1.7",
    ),
    (
        "BlendingSequence",
        [
            item(
                StudyInstanceUID="1.7",
                ReferencedSeriesSequence=[item(SeriesInstanceUID="1.2", ReferencedImageSequence=[instance("1.9")])],
            )
        ],
        "1.7",
    ),
    (
        "AdvancedBlendingSequence",
        [item(StudyInstanceUID="1.7", SeriesInstanceUID="1.2", ReferencedImageSequence=[instance("1.9")])],
        "1.7",
    ),
]


@pytest.mark.parametrize(("evidence", "values", "study"), SERIES_WAYS, ids=[way[0] for way in SERIES_WAYS])
def test_every_way_to_name_a_series(evidence: str, values: list[Dataset], study: str) -> None:
    [found] = of(StudyInstanceUID="1.1", **{evidence: values})
    assert (found.evidence, found.study_uid, found.series_uid, found.instances) == (evidence, study, "1.2", ("1.9",))


def test_contours_tell_only_where_the_structure_set_does_not() -> None:
    contours = [item(ContourSequence=[item(ContourImageSequence=[instance("1.8")])])]
    series = item(SeriesInstanceUID="1.2", ContourImageSequence=[instance("1.9")])
    frame = item(
        FrameOfReferenceUID="1.5",
        RTReferencedStudySequence=[item(ReferencedSOPInstanceUID="1.7", RTReferencedSeriesSequence=[series])],
    )
    found = of(ROIContourSequence=contours, ReferencedFrameOfReferenceSequence=[frame])
    assert next((one.evidence, one.instances) for one in found) == ("RTReferencedSeriesSequence", ("1.9",))
    assert "ContourImageSequence" not in {one.evidence for one in found}


def test_a_registration_relates_frames_of_reference() -> None:
    found = of(
        FrameOfReferenceUID="1.5",
        RegistrationSequence=[item(FrameOfReferenceUID="1.5"), item(FrameOfReferenceUID="1.6")],
    )
    assert [one.frame_of_reference_uid for one in found] == ["1.5", "1.6"]


def test_an_object_does_not_refer_to_itself() -> None:
    assert of(SOPInstanceUID="1.9", ReferencedImageSequence=[instance("1.9")]) == []


@pytest.mark.parametrize("uid", ["../../studies", "1.2.3/../..", "1" * 65, "", "x", "1.2\u0661", "1.2\r\nHost: x"])
def test_what_is_no_uid_is_no_reference(uid: str) -> None:
    element = {"00081155": {"vr": "UI", "Value": [uid]}, "0020000E": {"vr": "UI", "Value": [uid]}}
    obj = {
        "00081115": {"vr": "SQ", "Value": [{**element, "0008114A": {"vr": "SQ", "Value": [element]}}]},
        "00200052": {"vr": "UI", "Value": [uid]},
        "0020000D": {"vr": "UI", "Value": [uid]},
    }
    assert references(obj) == []


@pytest.mark.parametrize("value", [None, 7, "text", [None], [7], ["text"], [[]], [{}], {"vr": "SQ"}, [{"x": 1}]])
def test_anything_may_stand_where_a_sequence_is_due(value: Any) -> None:
    for keyword_tag in ("00081115", "00081140", "0040A730", "30060010", "52009230", "30060039"):
        assert references({keyword_tag: {"vr": "SQ", "Value": value}}) == []
        assert references({keyword_tag: value}) == []


def test_many_references_are_counted_and_cut() -> None:
    series = [
        item(SeriesInstanceUID=f"1.2.{s}", ReferencedInstanceSequence=[instance(f"1.9.{s}.{n}") for n in range(60)])
        for s in range(MOST_REFERENCES + 10)
    ]
    found = of(ReferencedSeriesSequence=series, FrameOfReferenceUID="1.5")
    assert len(found) == MOST_REFERENCES
    assert {(len(one.instances), one.count) for one in found[:-1]} == {(MOST_INSTANCES, 60)}
    assert found[-1].frame_of_reference_uid == "1.5"


def test_a_deep_tree_and_deep_sequences_end() -> None:
    content: dict[str, Any] = {}
    series: dict[str, Any] = {}
    for _ in range(5_000):
        content = {"0040A730": {"vr": "SQ", "Value": [content]}}
        series = {"00081115": {"vr": "SQ", "Value": [series]}}
    assert references({**content, **series}) == []


def test_fields_for_a_search_are_small_and_known() -> None:
    from pydicom.datadict import tag_for_keyword

    assert all(tag_for_keyword(keyword) for keyword in REFERENCE_FIELDS)
    assert not set(LARGE) & set(REFERENCE_FIELDS)
    assert {"ReferencedSeriesSequence", "SourceImageSequence", "FrameOfReferenceUID"} <= set(REFERENCE_FIELDS)
    assert len(REFERENCE_FIELDS) < 40
