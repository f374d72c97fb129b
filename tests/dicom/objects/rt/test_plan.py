"""Against pydicom's values of real plans, and made plans for what these lack."""

import json
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicom.objects.making import made, references
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.rt.plan import describe

BREAST = Path(__file__).parents[3] / "data" / "rt-breast" / "rtplan.dcm"


def test_a_real_plan_of_four_beams() -> None:
    plan = pydicom.dcmread(BREAST)
    found = describe(plan.to_json_dict())
    metersets = {
        int(item.ReferencedBeamNumber): item.BeamMeterset
        for item in plan.FractionGroupSequence[0].ReferencedBeamSequence
    }
    assert [
        (row["BeamNumber"], row["BeamName"], row["NominalBeamEnergy"], row["GantryAngle"], row["control_points"], row["BeamMeterset"])
        for row in found.items
    ] == [
        (
            int(beam.BeamNumber),
            beam.BeamName,
            f"{int(beam.ControlPointSequence[0].NominalBeamEnergy)} MV",
            f"{int(beam.ControlPointSequence[0].GantryAngle)} degrees",
            len(beam.ControlPointSequence),
            f"{int(metersets[int(beam.BeamNumber)])} MU",
        )
        for beam in plan.BeamSequence
    ]  # fmt: skip
    assert found.facts["RTPlanLabel"] == "B1"
    assert [item["TargetPrescriptionDose"] for item in found.facts["prescriptions"]] == ["14 Gy", "11.3113869239676 Gy"]
    assert found.facts["fraction_groups"] == [
        {"FractionGroupNumber": 1, "NumberOfFractionsPlanned": 7, "NumberOfBeams": 4}
    ]
    assert found.facts["all_beams"]["BeamType"] == "DYNAMIC"
    assert found.facts["all_beams"]["beam_limiting_devices"] == "ASYMX, ASYMY, MLCX"
    assert found.facts["ReferencedStructureSetSequence"] == (
        plan.ReferencedStructureSetSequence[0].ReferencedSOPInstanceUID
    )
    assert (found.notes, found.elided) == ([], [])
    assert len(json.dumps([found.facts, found.items])) < 2_500


def test_another_real_plan_keeps_the_precision_of_the_file() -> None:
    found = describe(pydicom.dcmread(get_testdata_file("rtplan.dcm")).to_json_dict())
    (beam,) = found.items
    assert (beam["BeamMeterset"], beam["BeamDose"]) == ("116.0036697 MU", "1.0275401 Gy")
    assert found.facts["prescriptions"][0]["OrganAtRiskMaximumDose"] == "75 Gy"
    assert found.facts["plan_relationship"] == "PREDECESSOR"


def beam(number=1, radiation="PHOTON", points=(), **more):
    return made(
        BeamNumber=number, BeamName=f"B{number}", RadiationType=radiation, PrimaryDosimeterUnit="MU", NumberOfControlPoints=len(points),
        ControlPointSequence=[made(**point) for point in points], **more,
    )  # fmt: skip


def group(number, *beams, planned=None):
    return made(
        FractionGroupNumber=number, NumberOfFractionsPlanned=10, NumberOfBeams=len(beams) if planned is None else planned,
        ReferencedBeamSequence=[made(ReferencedBeamNumber=beam, BeamMeterset=meterset, BeamDose="0.5") for beam, meterset in beams],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("angles", "said"),
    [
        ([{"GantryAngle": 181, "GantryRotationDirection": "CW"}, {"GantryAngle": 0}, {"GantryAngle": 179}], "181 to 179 degrees, CW"),
        ([{"GantryAngle": 90}, {}, {}], "90 degrees"),
        ([{"GantryAngle": 90, "GantryRotationDirection": "NONE"}, {"GantryAngle": 90}], "90 degrees"),
        ([{"GantryAngle": 10, "GantryRotationDirection": "CC"}, {"GantryAngle": 350.5}], "10 to 350.5 degrees, CC"),
        ([{}, {}], None),
    ],
)  # fmt: skip
def test_angles_run_from_the_first_to_the_last_control_point(angles, said) -> None:
    (row,) = describe(made(BeamSequence=[beam(points=angles)]).to_json_dict()).items
    assert row.get("GantryAngle") == said


@pytest.mark.parametrize(
    ("radiation", "energies", "said"),
    [
        ("PHOTON", [6, None, 6], "6 MV"),
        ("ELECTRON", [12], "12 MeV"),
        ("PROTON", [70, 100.5, 180], "70..180 MeV (3 energies)"),
        ("ION", [120, 200], "120..200 MeV/u"),
        ("", [6], "6"),
    ],
)
def test_energies_have_the_unit_of_their_radiation(radiation, energies, said) -> None:
    points = [{"NominalBeamEnergy": energy} if energy else {} for energy in energies]
    (row,) = describe(made(BeamSequence=[beam(radiation=radiation, points=points)]).to_json_dict()).items
    assert row["NominalBeamEnergy"] == said


def test_an_ion_plan() -> None:
    plan = made(
        IonBeamSequence=[
            made(
                BeamNumber=1, RadiationType="PROTON", ScanMode="MODULATED", NumberOfRangeShifters=1, PrimaryDosimeterUnit="NP",
                NumberOfControlPoints=2, IonControlPointSequence=[made(NominalBeamEnergy=100, GantryAngle=90), made(NominalBeamEnergy=80)],
            )
        ],
        FractionGroupSequence=[group(1, (1, 0))],
    )  # fmt: skip
    found = describe(plan.to_json_dict())
    (row,) = found.items
    assert (row["NominalBeamEnergy"], row["control_points"], row["ScanMode"]) == ("80..100 MeV", 2, "MODULATED")
    assert (row["NumberOfRangeShifters"], row["BeamMeterset"], row["GantryAngle"]) == (1, "0 NP", "90 degrees")
    assert found.notes == []


def test_beams_of_several_fraction_groups() -> None:
    plan = made(
        BeamSequence=[beam(1), beam(2)], FractionGroupSequence=[group(1, (1, "50"), (2, "60.5")), group(2, (1, "20"))]
    )
    found = describe(plan.to_json_dict())
    assert [row["BeamMeterset"] for row in found.items] == ["group 1: 50 MU; group 2: 20 MU", "group 1: 60.5 MU"]
    assert len(found.facts["fraction_groups"]) == 2


def test_brachytherapy() -> None:
    plan = made(
        BrachyTreatmentType="HDR", BrachyTreatmentTechnique="INTRACAVITARY",
        SourceSequence=[made(SourceNumber=1, SourceType="CYLINDER", SourceIsotopeName="Ir-192", ReferenceAirKermaRate="40000")],
        ApplicationSetupSequence=[
            made(ApplicationSetupNumber=1, ApplicationSetupType="VAGINAL", TotalReferenceAirKerma="4500", ChannelSequence=[made(ChannelNumber=1), made(ChannelNumber=2)])
        ],
    )  # fmt: skip
    found = describe(plan.to_json_dict())
    assert found.facts["BrachyTreatmentType"] == "HDR"
    assert found.facts["sources"][0]["ReferenceAirKermaRate"] == "40000 µGy/h at 1 m"
    assert found.items == [
        {"ApplicationSetupNumber": 1, "ApplicationSetupType": "VAGINAL", "TotalReferenceAirKerma": "4500 µGy at 1 m", "channels": 2}
    ]  # fmt: skip


def test_contradictions_are_said() -> None:
    one = beam(1, points=[{}])
    one.NumberOfControlPoints = 3
    found = describe(
        made(BeamSequence=[one], FractionGroupSequence=[group(1, (1, 5), (9, 5), planned=4)]).to_json_dict()
    )
    assert found.notes == [
        "Fraction group 1 says it has 4 beams and lists 2.",
        "Fraction group 1 refers to beams that the plan does not have: 9.",
        "Beams with other control points than NumberOfControlPoints says: 1.",
    ]
    twice = describe(made(BeamSequence=[beam(1), beam(1)]).to_json_dict())
    assert any("used twice" in note for note in twice.notes)


def test_more_beams_than_rows_are_counted() -> None:
    found = describe(made(BeamSequence=[beam(number) for number in range(1, 311)]).to_json_dict())
    assert len(found.items) == 300
    assert found.elided == ['10 more beams: get_metadata with fields=["BeamSequence.BeamName"].']


SMALL = made(
    RTPlanLabel="A", DoseReferenceSequence=[made(DoseReferenceNumber=1, TargetPrescriptionDose="60")],
    FractionGroupSequence=[group(1, (1, 5), (2, 6)), group(2, (1, 7))],
    BeamSequence=[beam(number, points=[{"GantryAngle": 0, "NominalBeamEnergy": 6}, {"GantryAngle": 10}], ApplicatorSequence=[made(ApplicatorID="X")]) for number in (1, 2)],
    ApplicationSetupSequence=[made(ApplicationSetupNumber=1, ChannelSequence=[made(ChannelNumber=1)])],
    PatientSetupSequence=[made(PatientPosition="HFS")], ReferencedStructureSetSequence=references("1.2.3"),
).to_json_dict()  # fmt: skip


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    assert is_harmless(describe(mangled_object(SMALL, seed, share)))
