"""Acquisitions in words: made headers of each modality, and real ones."""

import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataelem import DataElement

from dicomweb_mcp.dicom.acquisition import ACQUISITION_FIELDS, acquisition
from headers import ENHANCED_MR, as_json

DATA = Path(__file__).parents[1] / "data"


def told(varying: dict[str, str] | None = None, **values: Any) -> list[str]:
    return acquisition(as_json(**values), varying or {})


def of_file(path: str | Path) -> list[str]:
    return acquisition(json.loads(pydicom.dcmread(path, stop_before_pixels=True).to_json()), {})


CT = {
    "Modality": "CT",
    "Manufacturer": "SIEMENS",
    "ManufacturerModelName": "Sensation 64",
    "BodyPartExamined": "CHEST",
    "KVP": "120",
    "XRayTubeCurrent": "210",
    "ExposureTime": "500",
    "Exposure": "105",
    "ConvolutionKernel": "B30f",
    "SliceThickness": "1.25",
    "SpiralPitchFactor": 0.98,
    "ReconstructionDiameter": "360",
    "CTDIvol": 12.5,
    "PatientPosition": "HFS",
    "ContrastBolusAgent": "Iomeprol",
    "ContrastBolusRoute": "IV",
    "ContrastBolusVolume": "90",
}


def test_ct() -> None:
    assert told(**CT) == [
        "SIEMENS, Sensation 64",
        "body part CHEST",
        "120 kV, 210 mA, exposure time 500 ms, 105 mAs",
        "kernel B30f",
        "slice thickness 1.25 mm, pitch 0.98, reconstruction diameter 360 mm",
        "CTDIvol 12.5 mGy",
        "head first, supine",
        "contrast agent Iomeprol, IV, 90 ml",
    ]


def test_what_varies_is_told_in_the_words_given() -> None:
    said = told({"XRayTubeCurrent": "120..340 mA (88 values)", "ConvolutionKernel": "B30f (60), B70f (60)"}, **CT)
    assert "120 kV, tube current 120..340 mA (88 values), exposure time 500 ms, 105 mAs" in said
    assert "kernel B30f (60), B70f (60)" in said


def test_what_says_nothing_is_left_out() -> None:
    nothing = {"KVP": "0", "XRayTubeCurrent": "-3", "ExposureTime": None, "ConvolutionKernel": "", "CTDIvol": 0.0}
    assert told(Modality="CT", **nothing) == []
    assert acquisition({}, {}) == []


MR = {"Modality": "MR", "ScanningSequence": ["SE", "IR"], "SequenceVariant": ["SK", "SP"], "MRAcquisitionType": "2D"}


def test_mr() -> None:
    assert told(
        **MR,
        SequenceName="*tir2d1_16",
        RepetitionTime="9000",
        EchoTime="89",
        InversionTime="2500",
        FlipAngle="150",
        EchoTrainLength="16",
        MagneticFieldStrength="3",
        PixelBandwidth="200",
        AcquisitionMatrix=[256, 0, 0, 192],
        InPlanePhaseEncodingDirection="ROW",
        SliceThickness="5",
        SpacingBetweenSlices="6",
    ) == [
        "2D, spin echo, inversion recovery, segmented k-space, spoiled, sequence name *tir2d1_16",
        "TR 9000 ms, TE 89 ms, TI 2500 ms, flip angle 150 degrees, echo train length 16",
        "3 T, bandwidth 200 Hz per pixel, phase encoding along the rows, acquisition matrix 256 (frequency) x 192 (phase)",
        "slice thickness 5 mm, spacing between slices 6 mm",
    ]


def test_a_field_strength_that_is_not_in_tesla() -> None:
    assert "magnetic field 15000 as written, which is no value in T" in told(**MR, MagneticFieldStrength="15000")[1]


def test_diffusion() -> None:
    assert "diffusion b-value 0 s/mm², isotropic" in told(
        **MR, DiffusionBValue=0.0, DiffusionDirectionality="ISOTROPIC"
    )


@pytest.mark.parametrize(
    ("creator", "group", "block", "element", "vr", "value", "tag"),
    [
        ("SIEMENS MR HEADER", 0x0019, 0x10, 0x0C, "IS", "1000", "0019100C"),
        ("SIEMENS MR HEADER", 0x0019, 0x15, 0x0C, "UN", b"1000", "0019150C"),
        ("GEMS_PARM_01", 0x0043, 0x10, 0x39, "IS", ["1000000800", "8", "0", "0"], "00431039"),
        ("Philips Imaging DD 001", 0x2001, 0x10, 0x03, "FL", 800.0, "20011003"),
    ],
)
def test_b_values_in_private_attributes(creator, group, block, element, vr, value, tag) -> None:
    dataset = pydicom.Dataset()
    dataset.Modality = "MR"
    dataset.ScanningSequence = "EP"
    dataset.add(DataElement((group, block), "LO", creator))
    dataset.add(DataElement((group, block * 256 + element), vr, value))
    said = acquisition(json.loads(dataset.to_json()), {})[-1]
    field = f"{creator} {tag[:4]}xx{tag[6:]}"
    assert f"b-values only in private attributes: ({tag[:4]},{tag[4:]}) of {creator}, which fields=['{field}']" in said
    assert ("1000000000" in said) == (creator == "GEMS_PARM_01")
    dataset.DiffusionBValue = 1000.0
    assert "private" not in " ".join(acquisition(json.loads(dataset.to_json()), {}))


def test_a_private_attribute_of_another_creator_is_no_b_value() -> None:
    dataset = pydicom.Dataset()
    dataset.Modality = "MR"
    dataset.add(DataElement((0x0019, 0x10), "LO", "GEMS_ACQU_01"))
    dataset.add(DataElement((0x0019, 0x100C), "IS", "1000"))
    assert acquisition(json.loads(dataset.to_json()), {}) == []


def test_functional_groups_and_what_differs_among_frames() -> None:
    frames = [{"MREchoSequence": {"EffectiveEchoTime": 10.0 * echo}} for echo in (1, 2, 3, 1)]
    shared = {"MRTimingAndRelatedParametersSequence": {"RepetitionTime": 500.0, "FlipAngle": 15.0}}
    said = told(
        SOPClassUID=ENHANCED_MR,
        Modality="MR",
        PulseSequenceName="gre",
        EchoPulseSequence="GRADIENT",
        SharedFunctionalGroupsSequence=shared,
        PerFrameFunctionalGroupsSequence=frames,
    )
    assert said == ["gradient echo, sequence name gre", "TR 500 ms, TE 10..30 ms (3 values), flip angle 15 degrees"]


def pet(without: tuple[str, ...] = (), dose: dict[str, Any] | None = None, **more: Any) -> list[str]:
    tracer = {
        "Radiopharmaceutical": "FDG",
        "RadiopharmaceuticalStartDateTime": "20200102101010",
        "RadionuclideTotalDose": "370000000",
        "RadionuclideHalfLife": "6586.2",
        "RadionuclideCodeSequence": {
            "CodeValue": "77004003", "CodingSchemeDesignator": "SCT", "CodeMeaning": "^18^Fluorine",
        },
        **(dose or {}),
    }  # fmt: skip
    values = {
        "Modality": "PT",
        "Units": "BQML",
        "DecayCorrection": "START",
        "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "PatientWeight": "70",
        "SeriesDate": "20200102",
        "SeriesTime": "111010",
        "ActualFrameDuration": "180000",
        "RadiopharmaceuticalInformationSequence": {
            name: value for name, value in tracer.items() if name not in without and value is not None
        },
        **more,
    }
    return told(**{name: value for name, value in values.items() if name not in without and value is not None})


def test_pet() -> None:
    assert pet() == [
        "tracer FDG (^18^Fluorine), 370 MBq, half-life 6586.2 s, injected 2020-01-02T10:10:10",
        "values in Bq/ml, decay corrected to the start of the acquisition, corrected for decay, attenuation, scatter",
        "frame duration 180000 ms",
        "SUV (body weight) can be computed from Bq/ml",
    ]


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ("PatientWeight", "no PatientWeight"),
        ("RadionuclideTotalDose", "no RadionuclideTotalDose"),
        ("RadionuclideHalfLife", "no RadionuclideHalfLife"),
        ("RadiopharmaceuticalStartDateTime", "no RadiopharmaceuticalStartDateTime or RadiopharmaceuticalStartTime"),
        ("SeriesTime", "no SeriesTime or AcquisitionTime"),
        ("DecayCorrection", "no DecayCorrection"),
        ("Units", "no Units, where Bq/ml (BQML) are needed"),
    ],
)
def test_suv_needs(without: str, reason: str) -> None:
    assert pet((without,))[-1] == f"SUV (body weight) cannot be computed: {reason}"


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"PatientWeight": "0"}, "cannot be computed: no PatientWeight (it is 0)"),
        ({"dose": {"RadionuclideTotalDose": "0"}}, "cannot be computed: no RadionuclideTotalDose (it is 0)"),
        ({"DecayCorrection": "NONE"}, "cannot be computed: DecayCorrection NONE"),
        ({"DecayCorrection": "ADMIN", "SeriesTime": None}, "can be computed from Bq/ml"),
        ({"CorrectedImage": ["DECY"]}, "cannot be computed: not corrected for attenuation (CorrectedImage)"),
        ({"dose": {"RadionuclideTotalDose": "370"}}, "but RadionuclideTotalDose is too small to be in Bq"),
        ({"SeriesDate": "20190705"}, "but the injection is dated 2020-01-02 and the series 2019-07-05"),
        ({"Units": "CNTS"}, "cannot be computed: Units CNTS, where Bq/ml (BQML) are needed"),
        ({"Units": "GML", "SUVType": "BW"}, "the values are standardized uptake values already (BW)"),
        (
            {"dose": {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": "235900"}},
            "that of the series is assumed, which is later than SeriesTime: across midnight?",
        ),
    ],
)
def test_suv_and_its_traps(more: dict[str, Any], expected: str) -> None:
    assert expected in pet(**more)[-1]


@pytest.mark.parametrize(
    "keyword", ["Units", "DecayCorrection", "PatientWeight", "RadiopharmaceuticalInformationSequence"]
)
def test_what_differs_within_a_series_decides_no_suv(keyword: str) -> None:
    assert (
        pet(varying={keyword: "2 values"})[-1] == f"SUV (body weight) of the series cannot be told: {keyword} differs"
    )


@pytest.mark.parametrize(("element", "factor"), [(0x1000, "SUV factor (7053,1000)"), (0x1009, "activity factor")])
def test_counts_of_philips(element: int, factor: str) -> None:
    header = as_json(Modality="PT", Units="CNTS")
    private = pydicom.Dataset()
    private.add(DataElement((0x7053, 0x10), "LO", "Philips PET Private Group"))
    private.add(DataElement((0x7053, element), "DS", "0.00042"))
    said = acquisition({**header, **json.loads(private.to_json())}, {})[-1]
    if element == 0x1000:
        assert said == f"SUV (body weight) can be computed with the private {factor} of Philips"
    else:
        assert "cannot be computed: no PatientWeight" in said


def test_nuclear_medicine() -> None:
    said = told(
        Modality="NM",
        RadiopharmaceuticalInformationSequence={"Radiopharmaceutical": "MDP", "RadionuclideTotalDose": "650"},
        EnergyWindowInformationSequence={
            "EnergyWindowName": "Tc99m",
            "EnergyWindowRangeSequence": {"EnergyWindowLowerLimit": "126", "EnergyWindowUpperLimit": "154"},
        },
        DetectorInformationSequence=[{"CollimatorType": "PARA", "CollimatorGridName": "LEHR"}] * 2,
        RotationInformationSequence={"NumberOfFramesInRotation": 60, "ScanArc": "180"},
        NumberOfDetectors=2,
        CountsAccumulated="3596452",
    )
    assert said == [
        "tracer MDP, 650 MBq",
        "energy window Tc99m 126..154 keV",
        "collimator PARA LEHR",
        "rotation of 60 frames over 180 degrees",
        "detectors 2, counts 3596452",
    ]


def test_mammography() -> None:
    code = {"CodeValue": "399162004", "CodingSchemeDesignator": "SCT", "CodeMeaning": "cranio-caudal"}
    modifier = {"CodeValue": "399163009", "CodingSchemeDesignator": "SCT", "CodeMeaning": "magnification"}
    said = told(
        Modality="MG",
        ViewPosition="CC",
        ViewCodeSequence={**code, "ViewModifierCodeSequence": modifier},
        ImageLaterality="L",
        KVP="29",
        ExposureInuAs="80000",
        AnodeTargetMaterial="TUNGSTEN",
        FilterMaterial="RHODIUM",
        CompressionForce="98",
        BodyPartThickness="54",
        PresentationIntentType="FOR PROCESSING",
        BreastImplantPresent="NO",
        BurnedInAnnotation="YES",
    )
    assert said == [
        "view cranio-caudal, magnification",
        "left",
        "29 kV, 80000 uAs",
        "anode TUNGSTEN, filter RHODIUM, compression 98 N, body part thickness 54 mm",
        "for processing, not for presentation",
        "no breast implant",
        "text is burned into the pixels (BurnedInAnnotation YES)",
    ]


@pytest.mark.parametrize(
    ("primary", "secondary", "words"),
    [
        ("30", "-20", "30 degrees LAO, 20 degrees CAU"),
        ("-30.5", "25", "30.5 degrees RAO, 25 degrees CRA"),
        ("0", "0", "primary angle 0, secondary angle 0"),
        ("999", "10", "10 degrees CRA"),
    ],
)
def test_angles_of_a_c_arm(primary: str, secondary: str, words: str) -> None:
    said = told(Modality="XA", PositionerPrimaryAngle=primary, PositionerSecondaryAngle=secondary)
    assert said == [f"projection {words}"]


def test_subtraction() -> None:
    assert told(Modality="XA", CineRate="15", MaskSubtractionSequence={"MaskOperation": "AVG_SUB"}) == [
        "cine rate 15 frames/s",
        "mask subtraction by averaged mask frames",
    ]


@pytest.mark.parametrize(
    ("name", "phrases"),
    [
        (
            "CT_small.dcm",
            ["120 kV, 170 mA, exposure time 1601 ms, 170 mAs", "contrast agent ISOVUE300/100, IV",
             "image type ORIGINAL, PRIMARY, AXIAL", "feet first, supine"],
        ),
        (
            "MR_small.dcm",
            ["3D, spin echo", "TR 4000 ms, TE 240 ms, flip angle 90 degrees, averages 1",
             "imaging frequency 63.92434 MHz"],
        ),
        (
            "examples_ybr_color.dcm",
            ["frame time 33.333 ms, frames 30", "lossy compressed, ratio 19",
             "region 2D tissue, 0.05105 cm per column, 0.05105 cm per row"],
        ),
        ("examples_palette.dcm", ["region wave form ECG trace, 0.009643 s per column"]),
        ("JPEG2000.dcm", ["detectors 1, counts 3596452, frame duration 1210434 ms, frames 1"]),
        ("examples_overlay.dcm", ["contrast agent 11 ml Omniscan", "derived: MEDCOM RESAMPLED"]),
    ],
)  # fmt: skip
def test_real_headers(name: str, phrases: list[str]) -> None:
    said = of_file(str(get_testdata_file(name)))
    assert set(phrases) <= set(said), said


def test_pixels_of_a_pyramid_are_those_of_the_level_that_is_named() -> None:
    """The levels differ in their functional groups, of which no other words are given."""
    level: dict[str, Any] = {"Modality": "SM", "TotalPixelMatrixColumns": 1152, "TotalPixelMatrixRows": 700}
    level["SharedFunctionalGroupsSequence"] = {"PixelMeasuresSequence": {"PixelSpacing": ["0.028968", "0.028968"]}}
    said = told({"TotalPixelMatrixColumns": "144..1152 (4 values)"}, **level)
    assert said == ["columns 144..1152 (4 values), pixels of 28.97 um at 1152 columns"]
    assert told(**level) == ["1152 x 700 pixels, pixels of 28.97 um"]


def test_a_real_slide() -> None:
    slide = json.loads((DATA / "slide-metadata/TCGA-05-4244-01Z-00-DX1.json").read_text(encoding="utf-8"))["images"][0]
    said = acquisition(slide, {})
    assert "2896 x 2768 pixels, pixels of 3.72 um" in said
    assert "optical path objective 20x, Brightfield illumination" in said
    assert (
        "specimen Lung, fixative Formalin, embedding Paraffin wax, stain hematoxylin stain, water soluble eosin stain"
        in said
    )


def test_text_of_the_archive_is_harmless() -> None:
    said = told(Modality="CT", Manufacturer="A\x1b[31m\u202e" + "x" * 5_000, ContrastBolusAgent="one\ntwo")
    assert all(phrase.isprintable() and len(phrase) < 400 for phrase in said)


def test_fields_are_keywords() -> None:
    for keywords in ACQUISITION_FIELDS.values():
        assert len(keywords) == len(set(keywords))
        assert all(pydicom.datadict.tag_for_keyword(keyword) for keyword in keywords)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_palette.dcm", "JPEG2000.dcm"])
def test_a_row_with_these_fields_says_the_same(name: str) -> None:
    header = json.loads(pydicom.dcmread(str(get_testdata_file(name)), stop_before_pixels=True).to_json())
    wanted = {*ACQUISITION_FIELDS[""], *ACQUISITION_FIELDS[header["00080060"]["Value"][0]]}
    row = {tag: header[tag] for tag in header if pydicom.datadict.keyword_for_tag(tag) in wanted}
    assert acquisition(row, {}) == acquisition(header, {})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)


def texts_in(header: dict[str, Any]) -> list[Any]:
    """The values of the attributes that are names or texts."""
    texts = [tag for tag in header if pydicom.datadict.dictionary_VR(int(tag, 16)) in ("CS", "LO", "LT", "SH", "ST")]
    values = [header[tag]["Value"] for tag in texts]
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


@settings(max_examples=80)
@given(st.data(), st.sampled_from(sorted(set(ACQUISITION_FIELDS) - {""})))
def test_any_header_is_told(data: st.DataObject, modality: str) -> None:
    keywords = data.draw(
        st.lists(st.sampled_from([*ACQUISITION_FIELDS[""], *ACQUISITION_FIELDS[modality]]), max_size=9)
    )
    elements = st.fixed_dictionaries({"vr": st.text(max_size=2), "Value": JSON})
    header = {f"{pydicom.datadict.tag_for_keyword(keyword):08X}": data.draw(elements) for keyword in keywords}
    said = acquisition({**header, "00080060": {"vr": "CS", "Value": [modality]}}, {})
    assert all(isinstance(phrase, str) and phrase for phrase in said)
    spoiled = {"nan", "inf", "-inf"}.difference(map(str, texts_in(header)))  # a name may be any word
    assert not any(word in phrase.split() for phrase in said for word in spoiled)
