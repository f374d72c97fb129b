"""Against pydicom's values of a real mapping, and made ones."""

from pathlib import Path

import pydicom
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom.objects.making import code, made, references
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.real_world_values import describe

SUV = Path(__file__).parents[2] / "data" / "ct-seg-sr" / "pet-measurements" / "rwvm.dcm"


def test_a_real_mapping_to_suv() -> None:
    real = pydicom.dcmread(SUV)
    images = len(real.ReferencedImageRealWorldValueMappingSequence[0].ReferencedImageSequence)
    found = describe(real.to_json_dict())
    assert found.facts["mapped_images"] == f"{images} Positron Emission Tomography Image Storage"
    assert found.facts["ReferencedSeriesSequence"] == real.ReferencedSeriesSequence[0].SeriesInstanceUID
    assert found.items == [
        {
            "images": 191,
            "LUTLabel": "{SUVbw}g/ml",
            "units": "Standardized Uptake Value body weight ({SUVbw}g/ml, UCUM)",
            "stored_values": "0..32761",
            "RealWorldValueSlope": 0.000375125,
            "RealWorldValueIntercept": 0,
            "quantity": "Quantity: Standardized Uptake Value (126400, DCM), "
            "Measurement Method: SUV body weight calculation method (126410, DCM)",
        }
    ]
    assert found.notes == []


def mapped(images, **more):
    mapping = made(
        LUTLabel="L", MeasurementUnitsCodeSequence=code("mm2/s", "square millimeter per second", "UCUM"), **more
    )
    return made(ReferencedImageSequence=references(*images), RealWorldValueMappingSequence=[mapping])


def test_tables_ranges_of_doubles_and_what_rows_share() -> None:
    found = describe(
        made(
            ReferencedImageRealWorldValueMappingSequence=[
                mapped(["1.2.1"], RealWorldValueLUTData=[0.0, 0.5, 1.0], LUTExplanation="by table"),
                mapped(["1.2.2", "1.2.3"], RealWorldValueSlope=2.0, DoubleFloatRealWorldValueFirstValueMapped=-1.5, DoubleFloatRealWorldValueLastValueMapped=7.25),
            ]
        ).to_json_dict()
    )  # fmt: skip
    assert found.items == [
        {"images": 1, "LUTExplanation": "by table", "table_entries": 3},
        {"images": 2, "stored_values": "-1.5..7.25", "RealWorldValueSlope": 2},
    ]
    assert found.facts["mapped_images"] == "3 CT Image Storage"
    assert found.facts["all_mappings"] == {"LUTLabel": "L", "units": "square millimeter per second (mm2/s, UCUM)"}


def test_an_object_without_mapping_says_so() -> None:
    assert describe({}).notes == ["The object has no mapping."]


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    quantity = [
        made(ConceptNameCodeSequence=code("1", "N"), ConceptCodeSequence=code("2", "V")),
        made(NumericValue="5"),
    ]
    whole = made(
        ReferencedSeriesSequence=[made(SeriesInstanceUID="1.2.3")],
        ReferencedImageRealWorldValueMappingSequence=[
            mapped(["1.2.1"], RealWorldValueSlope=1.0, RealWorldValueLUTData=[1.0], QuantityDefinitionSequence=quantity)
        ],
    ).to_json_dict()  # fmt: skip
    assert is_harmless(describe(mangled_object(whole, seed, share)))
