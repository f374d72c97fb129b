"""RT images made by hand: no free real one is at hand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dicom.objects.making import made, references
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.rt.image import describe

PORTAL = made(
    RTImageLabel="MV 0", ImageType=["ORIGINAL", "PRIMARY", "PORTAL"], Rows=768, Columns=1024, RTImagePlane="NORMAL",
    GantryAngle="90", RadiationMachineSAD="1000", RTImageSID="1500", ImagePlanePixelSpacing=[0.39, 0.39],
    RTImagePosition=[-199.5, 149.6], ReferencedBeamNumber=2, ReferencedRTPlanSequence=references("1.2.3"), FractionNumber=4,
    ExposureSequence=[made(KVP="6000", MetersetExposure="2.5"), made(KVP="6000", MetersetExposure="3")],
).to_json_dict()  # fmt: skip


def test_a_portal_image() -> None:
    found = describe(PORTAL)
    assert found.facts["pixel_spacing_mm"] == {
        "at_image_plane": [0.39, 0.39],
        "at_isocentre": [0.26, 0.26],
    }  # 1000/1500
    assert (found.facts["GantryAngle"], found.facts["RTImageSID"]) == ("90 degrees", "1500 mm")
    assert (found.facts["ReferencedBeamNumber"], found.facts["ReferencedRTPlanSequence"]) == (2, "1.2.3")
    assert found.facts["all_exposures"] == {"KVP": "6000 kV"}
    assert found.items == [{"MetersetExposure": 2.5}, {"MetersetExposure": 3}]


def test_without_distances_nothing_is_scaled() -> None:
    found = describe(made(ImagePlanePixelSpacing=[0.4, 0.5]).to_json_dict())
    assert found.facts == {"pixel_spacing_mm": {"at_image_plane": [0.4, 0.5]}}


@settings(max_examples=100)
@given(st.integers(0, 10**9), st.sampled_from([0.05, 0.3]))
def test_mangled_json_never_raises(seed, share) -> None:
    assert is_harmless(describe(mangled_object(PORTAL, seed, share)))
