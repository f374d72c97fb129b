"""The way through made series: which stacks there are, how they are called, and that nothing is met twice."""

import math
import random
import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.dicom.geometry import Stack
from dicomweb_mcp.dicom.volume.parts import images_of
from dicomweb_mcp.dicom.volume.walk import walk
from dicomweb_mcp.errors import BadArgument
from headers import AXIAL, CORONAL, ENHANCED_MR, SAGITTAL, as_json, geometry, image

TILT = (1.0, 0.0, 0.0, 0.0, math.cos(math.radians(20)), -math.sin(math.radians(20)))  # a gantry tilted by 20 degrees
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)  # its normal is (-0.6, 0.8, 0)
Header = dict[str, Any]


def numbered(headers: list[Header], seed: int = 0) -> list[Header]:
    """With UIDs that tell the place in the list, in a random order and with InstanceNumbers of another one."""
    rng = random.Random(seed)
    numbers = rng.sample(range(1, len(headers) + 1), len(headers))
    named = [
        {**header, **as_json(SOPInstanceUID=f"1.2.{place}", InstanceNumber=number)}
        for place, (header, number) in enumerate(zip(headers, numbers, strict=True))
    ]
    return rng.sample(named, len(named))


def walked(headers: list[Header], stack: int | str | None = None) -> Stack:
    return walk([found for header in headers for found in images_of(header)], stack)


def places(stack: Stack) -> list[int]:
    """Where in the made list the images are that a walk meets."""
    return [int(item.instance_uid.rpartition(".")[2]) for item in stack.slices]


def refused(headers: list[Header], stack: int | str) -> str:
    with pytest.raises(BadArgument) as refusal:
        walked(headers, stack)
    return str(refusal.value)


def every(headers: list[Header]) -> list[Stack]:
    """All stacks, by number; the refusal of one too many says how many there are."""
    count = int(refused(headers, 10_000).partition("this series has ")[2].split()[0])
    return [walked(headers, number) for number in range(1, count + 1)]


def test_one_stack_needs_no_choice() -> None:
    headers = numbered([image((-128, -64, z)) for z in range(0, 50, 5)])
    found = walked(headers)
    assert places(found) == list(range(10))
    assert [item.position for item in found.slices] == [float(z) for z in range(0, 50, 5)]
    assert (found.is_geometric, found.name, found.notes, found.reach) == (True, "", (), 2.5)
    assert walked(headers, 1).name == "stack 1 of 1 (axial)"
    assert places(walked(headers, "axial")) == list(range(10))
    says = refused(headers, 2)
    assert says == "There is no stack 2: this series has 1 stack: 1 (axial; 10 images of 512 x 256, 0 to 45 mm)."


def test_words_are_offered_only_where_one_stack_alone_has_them() -> None:
    sizes = [image((0, 0, z)) for z in range(4)] + [image((0, 0, z), Rows=32, Columns=32) for z in range(2)]
    assert "Choose one of its stacks by number. There are 2 stacks: " in walked(numbered(sizes)).notes[-1]
    crossed = [
        image((0, 0, z), EchoTime=echo, FlipAngle=angle) for z in range(3) for echo in (10, 30) for angle in (5, 9)
    ]
    (offered,) = re.findall(r'such as stack="([^"]+)"', walked(numbered(crossed)).notes[-1])
    assert len(walked(numbered(crossed), offered).slices) == 3


def test_two_orientations_and_a_localizer() -> None:
    axial = [image((0, 0, z)) for z in range(5)]
    coronal = [image((0, y, 0), CORONAL) for y in range(3)]
    localizer = [image((9, y, 0), SAGITTAL, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]) for y in range(7)]
    headers = numbered(axial + coronal + localizer)
    found = walked(headers)
    assert not found.is_geometric
    assert found.reach is None
    assert found.notes[-1] == (
        'Choose one of its stacks by number or by words (such as stack="axial"). There are 3 stacks: '
        "1 (axial; 5 images of 512 x 256, 0 to 4 mm), 2 (coronal; 3 images of 512 x 256, 0 to 2 mm), "
        "3 (localizer, sagittal; 7 images of 512 x 256, -9 mm)."
    )
    assert places(walked(headers, 1)) == places(walked(headers, "Axial")) == [0, 1, 2, 3, 4]
    assert places(walked(headers, "2")) == places(walked(headers, "coronal")) == [5, 6, 7]
    assert sorted(places(walked(headers, "localizer"))) == list(range(8, 15))
    assert walked(headers, "coronal").name == 'stack 2 of 3 (coronal) chosen by "coronal"'


def test_stacks_are_those_of_the_geometry_in_its_order() -> None:
    headers = numbered(
        [image((0, 0, z)) for z in range(3)]
        + [image((0, y, 0), CORONAL) for y in range(0, 20, 2)]
        + [image((0, 0, z), Rows=128) for z in range(0, 40, 10)]
    )
    rows = geometry(headers)["stacks"]
    found = every(headers)
    assert len(rows) == len(found) == 3
    for row, stack in zip(rows, found, strict=True):
        assert row["images"] == len(stack.slices)
        assert row["position_mm"]["first"] == stack.slices[0].position
        assert row["position_mm"]["last"] == stack.slices[-1].position
        assert stack.reach == row["spacing_mm"] / 2


def test_time_points() -> None:
    headers = numbered([image((0, 0, z), TemporalPositionIdentifier=t) for t in (1, 2, 3) for z in range(4)])
    found = walked(headers)
    assert found.is_geometric
    assert [item.position for item in found.slices] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    numbers = [item.instance_number or 0 for item in found.slices]
    assert all(numbers[at : at + 3] == sorted(numbers[at : at + 3]) for at in range(0, 12, 3))
    assert "8 images lie where another one does" in found.notes[0]
    assert 'stack="TemporalPositionIdentifier=1"' in found.notes[1]
    for number in (1, 2, 3):
        expected = list(range(4 * (number - 1), 4 * number))
        for wanted in (number, f"TemporalPositionIdentifier={number}", f"time={number}", f"time point = {number}.0"):
            assert places(walked(headers, wanted)) == expected
    assert walked(headers, 2).name == "stack 2 of 3 (axial, TemporalPositionIdentifier=2)"
    says = refused(headers, "axial")
    assert says.startswith("3 stacks fit axial: 1 (axial, TemporalPositionIdentifier=1; 4 images")


def test_time_points_whose_times_differ_from_slice_to_slice() -> None:
    """Each image was taken at a time of its own: the first, second and third at each position go together."""
    clock = [f"10{t:02}{z:02}" for t in range(3) for z in range(4)]
    spots = [(t, z) for t in range(3) for z in range(4)]
    for keyword, values in {"AcquisitionTime": clock, "TriggerTime": [100 * t + 7 * z for t, z in spots]}.items():
        headers = numbered(
            [image((0, 0, z), **{keyword: value}) for (_, z), value in zip(spots, values, strict=True)], seed=3
        )
        assert [places(stack) for stack in every(headers)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize("wanted", ["EchoTime=60", "echo time=60.0", "TE=60", "te = 60, axial"])
def test_echoes(wanted: str) -> None:
    headers = numbered([image((0, 0, z), EchoTime=te) for te in (30, 60.0) for z in range(4)])
    assert places(walked(headers, wanted)) == [4, 5, 6, 7]
    assert "EchoTime=30" in refused(headers, "EchoTime=45")


def test_b_values_with_directions() -> None:
    kinds = [(0.0, None), (1000.0, [1.0, 0, 0]), (1000.0, [0.0, 1, 0]), (1000.0, [0.0, 0, 1])]
    headers = numbered(
        [
            image((0, 0, z), DiffusionBValue=b, **({"DiffusionGradientOrientation": gradient} if gradient else {}))
            for b, gradient in kinds
            for z in range(3)
        ]
    )
    assert places(walked(headers, "b=0")) == [0, 1, 2]
    says = refused(headers, "b=1000")
    assert says.startswith("3 stacks fit b=1000: 2 (axial, DiffusionBValue=1000, DiffusionGradientOrientation=")
    assert places(walked(headers, "DiffusionBValue=1000, gradient=0.0\\1.0\\0.0")) == [6, 7, 8]
    assert sorted(map(tuple, map(places, every(headers)))) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]


def test_image_types_are_called_by_one_of_their_values() -> None:
    kinds = (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"])
    headers = numbered([image((0, 0, z), ImageType=kind) for kind in kinds for z in range(3)])
    assert places(walked(headers, "ImageType=p")) == [3, 4, 5]
    assert refused(headers, "type=PRIMARY").startswith("2 stacks fit")


def test_a_value_that_a_whole_stack_has_is_a_name_as_well() -> None:
    headers = numbered(
        [image((0, 0, z), EchoTime=30) for z in range(4)] + [image((0, y, 0), CORONAL, EchoTime=60) for y in range(3)]
    )
    assert places(walked(headers, "te=60")) == [4, 5, 6]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("orientation", "origin", "first", "step"),
    [
        (AXIAL, lambda k: (0, 0, 2.0 * k), 0.0, 2.0),
        (
            OBLIQUE,
            lambda k: (10 - 1.8 * k, 20 + 2.4 * k, 7),
            10.0,
            3.0,
        ),  # -0.6 * 10 + 0.8 * 20, and 0.36 * 5 + 0.64 * 5
        (TILT, lambda k: (0, 0, 5.0 * k), 0.0, 5 * math.cos(math.radians(20))),
    ],
)
def test_positions_computed_by_hand(seed: int, orientation: Any, origin: Any, first: float, step: float) -> None:
    headers = numbered([image(origin(k), orientation) for k in range(12)], seed)
    found = walked(headers)
    assert places(found) == list(range(12))
    assert [item.position for item in found.slices] == pytest.approx([first + step * k for k in range(12)], abs=1e-4)
    assert found.reach == pytest.approx(step / 2, abs=1e-4)
    assert geometry(headers)["spacing_mm"] == pytest.approx(step, abs=0.01)


def enhanced(times: int, count: int) -> tuple[Header, list[tuple[int, int]]]:
    """Frames in random order, and the time point and slice of each."""
    spots = random.Random(5).sample(list(product(range(times), range(count))), times * count)
    groups = [
        {
            "PlanePositionSequence": {"ImagePositionPatient": [0, 0, 3.0 * z]},
            "FrameContentSequence": {"TemporalPositionIndex": t + 1},
        }
        for t, z in spots
    ]
    shared = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
        "PixelMeasuresSequence": {"PixelSpacing": [1, 1], "SliceThickness": 3},
    }
    header = as_json(
        SOPClassUID=ENHANCED_MR, SOPInstanceUID="1.2.9", NumberOfFrames=times * count, Rows=64, Columns=64,
        SharedFunctionalGroupsSequence=shared, PerFrameFunctionalGroupsSequence=groups,
    )  # fmt: skip
    return header, spots


def test_frames_of_an_enhanced_object() -> None:
    header, spots = enhanced(3, 5)
    assert walked([header]).is_geometric
    for t, stack in enumerate(every([header])):
        assert [spots[item.frame - 1] for item in stack.slices] == [(t, z) for z in range(5)]
        assert [item.position for item in stack.slices] == [0, 3, 6, 9, 12]
    assert walked([header], "time point=2").name.startswith("stack 2 of 3 (axial, TemporalPositionIndex=2)")


def test_frames_that_share_a_place_are_each_met_once() -> None:
    shared = {
        "PlanePositionSequence": {"ImagePositionPatient": [0, 0, 3]},
        "PlaneOrientationSequence": {"ImageOrientationPatient": list(AXIAL)},
    }
    header = as_json(
        SOPClassUID=ENHANCED_MR, SOPInstanceUID="1.2.9", NumberOfFrames=4, SharedFunctionalGroupsSequence=shared
    )
    assert sorted(item.frame for item in walked([header]).slices) == [1, 2, 3, 4]


def test_frames_of_a_cine_have_an_order_of_their_own() -> None:
    found = walk(images_of(as_json(SOPInstanceUID="1.2.9", NumberOfFrames=3, Rows=5), each_frame=True))
    assert (found.basis, found.notes) == ("the order of frames", ())
    assert [(item.frame, item.frames) for item in found.slices] == [(1, 3), (2, 3), (3, 3)]


def test_images_without_a_place_are_a_stack_of_their_own() -> None:
    headers = numbered([image((0, 0, z)) for z in range(3)] + [as_json(Rows=5, Columns=5)])
    assert places(walked(headers, "no position")) == places(walked(headers, 2)) == [3]
    assert walked(headers, 2).reach is None


def test_more_orientations_than_are_compared_are_still_all_met() -> None:
    """A radial series: each image is turned by another angle."""
    angles = [math.radians(3 * turn) for turn in range(58)]
    headers = numbered([image((0, 0, 0), (math.cos(a), math.sin(a), 0, 0, 0, -1)) for a in angles])
    assert sorted(place for stack in every(headers) for place in places(stack)) == list(range(58))
    assert len(walked(headers, "others").slices) == 8


def test_what_has_no_sense_is_refused() -> None:
    headers = numbered([image((0, 0, z)) for z in range(3)])
    for wanted in (0, -1, "", ",", "=", "=3", "b=", "purple", "EchoTime", "²"):
        assert refused(headers, wanted).startswith("There is no stack ")
    for wanted in ("x" * 5_000, "9" * 5_000):
        assert len(refused(headers, wanted)) < 300


KINDS = st.fixed_dictionaries(
    {},
    optional={
        "EchoTime": st.sampled_from([10, 20]),
        "DiffusionBValue": st.sampled_from([0.0, 500.0]),
        "TriggerTime": st.integers(0, 5),
        "AcquisitionTime": st.sampled_from(["100000", "110000"]),
        "ImageType": st.sampled_from([["ORIGINAL", "PRIMARY", "LOCALIZER"], ["DERIVED", "PRIMARY", "M"]]),
        "Rows": st.sampled_from([64, 128]),
        "FrameOfReferenceUID": st.sampled_from(["1.5", "1.6"]),
    },
)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from([AXIAL, CORONAL, OBLIQUE, None]), KINDS), min_size=1),
    st.integers(0, 9),
)
def test_every_image_is_met_exactly_once(made: list[tuple[int, Any, dict[str, Any]]], seed: int) -> None:
    headers = numbered(
        [image((k, k, k), at, **kind) if at else as_json(**{"Rows": 3, **kind}) for k, at, kind in made], seed
    )
    everything = list(range(len(made)))
    assert sorted(places(walked(headers))) == everything
    assert sorted(place for stack in every(headers) for place in places(stack)) == everything
    for stack in every(headers):
        along = [item.position for item in stack.slices]
        assert along == sorted(along, key=lambda position: position or 0.0)
