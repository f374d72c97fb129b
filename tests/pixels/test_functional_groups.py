import pytest

from dicomweb_mcp.dicom.functional_groups import frame_view
from dicomweb_mcp.dicom.values import element, integer, number, numbers, text
from dicomweb_mcp.errors import Problem


def test_an_ordinary_object_is_its_own_view(make):
    obj = make()
    assert frame_view(obj, 0) is obj


@pytest.fixture
def enhanced(make):
    return make(
        Modality="CT",
        WindowCenter=1,
        WindowWidth=2,
        WindowCenterWidthExplanation="OUTSIDE",
        SharedFunctionalGroupsSequence=[
            {
                "PixelMeasuresSequence": [{"PixelSpacing": [0.5, 0.7]}],
                "PixelValueTransformationSequence": [
                    {"RescaleSlope": 2, "RescaleIntercept": -1000, "RescaleType": "HU"}
                ],
                "RealWorldValueMappingSequence": [{"RealWorldValueSlope": 3}],
            }
        ],
        PerFrameFunctionalGroupsSequence=[
            {
                "FrameVOILUTSequence": [{"WindowCenter": 40 + nth, "WindowWidth": 400}],
                "PlanePositionSequence": [{"ImagePositionPatient": [0, 0, nth]}],
                "FrameContentSequence": [{"InStackPositionNumber": nth + 1}],
            }
            for nth in range(3)
        ],
    )


def test_shared_and_per_frame_groups_become_flat(enhanced):
    view = frame_view(enhanced, 2)
    assert text(view, "Modality") == "CT"
    assert numbers(view, "PixelSpacing") == [0.5, 0.7]
    assert (number(view, "RescaleSlope"), number(view, "RescaleIntercept"), text(view, "RescaleType")) == (
        2,
        -1000,
        "HU",
    )
    assert number(view, "WindowCenter") == 42
    assert numbers(view, "ImagePositionPatient") == [0, 0, 2]
    assert integer(view, "InStackPositionNumber") == 3


def test_a_frames_window_replaces_the_one_outside_as_a_whole(enhanced):
    assert element(frame_view(enhanced, 0), "WindowCenterWidthExplanation") is None


def test_real_world_values_stay_a_sequence(enhanced):
    view = frame_view(enhanced, 0)
    assert element(view, "RealWorldValueMappingSequence") is not None
    assert element(view, "RealWorldValueSlope") is None


def test_the_object_is_not_changed_and_the_groups_are_gone(enhanced):
    before = dict(enhanced)
    view = frame_view(enhanced, 1)
    assert enhanced == before
    assert element(view, "PerFrameFunctionalGroupsSequence") is None
    assert element(view, "SharedFunctionalGroupsSequence") is None


def test_per_frame_wins_over_shared(make):
    obj = make(
        SharedFunctionalGroupsSequence=[{"PixelMeasuresSequence": [{"PixelSpacing": [1, 1]}]}],
        PerFrameFunctionalGroupsSequence=[{"PixelMeasuresSequence": [{"PixelSpacing": [2, 2]}]}],
    )
    assert numbers(frame_view(obj, 0), "PixelSpacing") == [2, 2]


def test_tiles_without_per_frame_groups_share_everything(make):
    obj = make(SharedFunctionalGroupsSequence=[{"PixelMeasuresSequence": [{"PixelSpacing": [1, 2]}]}])
    assert numbers(frame_view(obj, 77), "PixelSpacing") == [1, 2]


@pytest.mark.parametrize("index", [3, -1])
def test_a_frame_that_is_not_there_is_named(enhanced, index):
    with pytest.raises(Problem, match="frames 1 to 3"):
        frame_view(enhanced, index)


def test_lower_case_tags_are_understood(enhanced):
    lower = {tag.lower(): found for tag, found in enhanced.items()}
    assert number(frame_view(lower, 1), "WindowCenter") == 41
