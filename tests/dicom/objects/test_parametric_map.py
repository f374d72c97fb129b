"""Parametric maps: one written by highdicom from a real CT, and made ones."""

from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom.objects.making import code, made
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.parametric_map import describe

CT = Path(__file__).parents[2] / "data" / "ct-seg-sr" / "ct"


def test_a_map_of_highdicom() -> None:
    import numpy as np
    from highdicom.content import VOILUTTransformation
    from highdicom.pm import ParametricMap, RealWorldValueMapping
    from highdicom.sr.coding import CodedConcept

    images = [pydicom.dcmread(path) for path in sorted(CT.glob("*.dcm"))]
    for source in images:
        source.SpecificCharacterSet, source.PatientName = "ISO_IR 100", "A^B"
    mapping = RealWorldValueMapping(
        lut_label="ADC", lut_explanation="Apparent diffusion", unit=CodedConcept("mm2/s", "UCUM", "square millimeter per second"),
        value_range=[0.0, 1.0], slope=1.0, intercept=0.0, quantity_definition=CodedConcept("113041", "DCM", "Apparent Diffusion Coefficient"),
    )  # fmt: skip
    shape = (len(images), images[0].Rows, images[0].Columns)
    image = ParametricMap(
        images, np.zeros(shape, np.float32), "1.2.3", 1, "1.2.4", 1, "M", "Model", "1", "123", contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping], voi_lut_transformations=[VOILUTTransformation(window_center=0.5, window_width=1)],
    )  # fmt: skip
    found = describe(image.to_json_dict(suppress_invalid_tags=True))
    (row,) = found.items
    assert (row["LUTLabel"], row["LUTExplanation"]) == ("ADC", "Apparent diffusion")
    assert row["units"] == "square millimeter per second (mm2/s, UCUM)"
    assert (row["stored_values"], row["RealWorldValueSlope"], row["RealWorldValueIntercept"]) == ("0..1", 1, 0)
    assert row["quantity"].endswith("Apparent Diffusion Coefficient (113041, DCM)")
    assert found.facts["pixels"] == "32-bit floating point"
    assert found.facts["NumberOfFrames"] == len(images)
    assert found.facts["spacing_mm"].startswith(f"{float(images[0].PixelSpacing[0]):.4f}".rstrip("0").rstrip("."))
    assert found.notes == []


def frame(slope, **more):
    return made(RealWorldValueMappingSequence=[made(LUTLabel="L", RealWorldValueSlope=float(slope))], **more)


@pytest.mark.parametrize(
    ("values", "pixels"),
    [
        ({"BitsAllocated": 16}, "integer"),
        ({"BitsAllocated": 64}, "64-bit floating point"),
        ({"BitsAllocated": 8}, None),
        ({}, None),
    ],
)
def test_pixels_by_their_size(values, pixels) -> None:
    assert describe(made(**values).to_json_dict()).facts.get("pixels") == pixels


def test_pixels_by_the_element_that_holds_them() -> None:
    assert (
        describe({"7FE00009": {"vr": "OD", "BulkDataURI": "http://pacs.test/1"}}).facts["pixels"]
        == "64-bit floating point"
    )


def test_mappings_of_frames_are_counted() -> None:
    found = describe(
        made(
            SharedFunctionalGroupsSequence=[
                made(DerivationImageSequence=[made(DerivationCodeSequence=code("113041", "ADC"))])
            ],
            PerFrameFunctionalGroupsSequence=[frame(1), frame(2), frame(1)],
        ).to_json_dict()
    )
    assert [(row["RealWorldValueSlope"], row["frames"]) for row in found.items] == [(1, 2), (2, 1)]
    assert found.facts["derivation"] == "ADC (113041, DCM)"
    assert found.facts["all_mappings"] == {"LUTLabel": "L"}


def test_no_mapping_is_not_conformant() -> None:
    assert "no mapping" in describe({}).notes[0]


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    measures = [made(PixelSpacing=[1, 2], SliceThickness="3")]
    whole = made(
        Rows=2, SharedFunctionalGroupsSequence=[frame(1, PixelMeasuresSequence=measures)], PerFrameFunctionalGroupsSequence=[frame(2), frame(3)]
    ).to_json_dict()  # fmt: skip
    assert is_harmless(describe(mangled_object(whole, seed, share)))
