"""Treatment records made by hand: no free real one is at hand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dicom.objects.making import made, references
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.rt.record import describe


def delivered(number, meterset, status="NORMAL", **more):
    return made(
        ReferencedBeamNumber=number, BeamName=f"B{number}", CurrentFractionNumber=3, SpecifiedPrimaryMeterset="100",
        DeliveredPrimaryMeterset=meterset, TreatmentTerminationStatus=status, **more,
    )  # fmt: skip


RECORD = made(
    TreatmentDate="20240506", TreatmentTime="101112", PrimaryDosimeterUnit="MU", NumberOfFractionsPlanned=30,
    TreatmentMachineSequence=[made(TreatmentMachineName="LINAC 1")], ReferencedRTPlanSequence=references("1.2.3"),
    TreatmentSessionBeamSequence=[delivered(1, "100"), delivered(2, "41.5", "MACHINE")],
).to_json_dict()  # fmt: skip


def test_what_was_delivered_and_how_it_ended() -> None:
    found = describe(RECORD)
    assert (found.facts["TreatmentDate"], found.facts["TreatmentTime"]) == ("2024-05-06", "10:11:12")
    assert found.facts["machines"] == [{"TreatmentMachineName": "LINAC 1"}]
    assert found.facts["all_beams"] == {"CurrentFractionNumber": 3}
    assert found.items[1] == {
        "ReferencedBeamNumber": 2, "BeamName": "B2", "SpecifiedPrimaryMeterset": 100, "DeliveredPrimaryMeterset": 41.5,
        "TreatmentTerminationStatus": "MACHINE",
    }  # fmt: skip
    assert found.notes == ["Deliveries ended by the operator or the machine: 1 of 2."]


def test_ion_and_brachy_records_and_unknown_endings() -> None:
    ion = describe(
        made(
            TreatmentSessionIonBeamSequence=[delivered(1, "5", ""), delivered(2, "5", "UNKNOWN"), delivered(3, "5")]
        ).to_json_dict()
    )
    assert ion.items[0]["DeliveredPrimaryMeterset"] == 5
    assert ion.notes == ["Deliveries that do not say how they ended: 2 of 3."]
    brachy = describe(
        made(TreatmentSessionApplicationSetupSequence=[made(ReferencedBrachyApplicationSetupNumber=7)]).to_json_dict()
    )
    assert brachy.items == [{"ReferencedBrachyApplicationSetupNumber": 7}]


def test_a_summary() -> None:
    summary = made(
        CurrentTreatmentStatus="COMPLETED", FirstTreatmentDate="20240101", MostRecentTreatmentDate="20240211",
        FractionGroupSummarySequence=[made(ReferencedFractionGroupNumber=1, NumberOfFractionsPlanned=30, NumberOfFractionsDelivered=29)],
        TreatmentSummaryCalculatedDoseReferenceSequence=[made(DoseReferenceDescription="PTV", CumulativeDoseToDoseReference="58")],
    )  # fmt: skip
    found = describe(summary.to_json_dict())
    assert found.facts["fraction_groups"][0]["NumberOfFractionsDelivered"] == 29
    assert found.facts["doses"] == [{"DoseReferenceDescription": "PTV", "CumulativeDoseToDoseReference": "58 Gy"}]
    assert found.facts["MostRecentTreatmentDate"] == "2024-02-11"


@settings(max_examples=100)
@given(st.integers(0, 10**9), st.sampled_from([0.05, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    assert is_harmless(describe(mangled_object(RECORD, seed, share)))
