"""Which images stand for a series."""

from itertools import pairwise
from typing import Any

import pytest

from dicomweb_mcp.dicom.geometry import FRAMES, Slice, Stack
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services.samples import chosen, evenly, seconds_of


@pytest.mark.parametrize(
    ("count", "samples", "numbers"),
    [
        (140, 2, [1, 140]),
        (9, 9, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (4, 9, [1, 2, 3, 4]),
        (101, 5, [1, 26, 51, 76, 101]),
        (10, 4, [1, 4, 7, 10]),
        (7, 1, [4]),
        (1, 9, [1]),
        (2, 36, [1, 2]),
    ],
)
def test_evenly_spaced_first_and_last_included(count: int, samples: int, numbers: list[int]) -> None:
    assert evenly(count, samples) == numbers


def test_steps_differ_by_one_at_most() -> None:
    for count in range(2, 200):
        for samples in range(2, 37):
            numbers = evenly(count, samples)
            steps = [after - before for before, after in pairwise(numbers)]
            assert (numbers[0], numbers[-1], len(numbers)) == (1, count, min(samples, count))
            assert max(steps) - min(steps) <= 1


def test_slices_that_were_asked_for() -> None:
    stack = Stack(tuple(Slice(f"1.2.{nth}") for nth in range(1, 6)), FRAMES)
    assert [one.slice.instance_uid for one in chosen(stack, 9, [5, 2, 5])] == ["1.2.5", "1.2.2"]
    with pytest.raises(BadArgument, match="no slice 6: slices are numbers from 1 to 5"):
        chosen(stack, 9, [1, 6])


def frames(count: int, **more: Any) -> dict[str, Any]:
    return {"00080018": {"vr": "UI", "Value": ["1.2.3"]}, "00280008": {"vr": "IS", "Value": [count]}, **more}


def test_frames_of_a_cine_are_in_time() -> None:
    each = frames(4, **{"00181063": {"vr": "DS", "Value": [40]}})  # FrameTime in ms
    assert [seconds_of(each, frame) for frame in (1, 4)] == [0.0, 0.12]
    vector = frames(3, **{"00181065": {"vr": "DS", "Value": [0, 30, 70]}})  # FrameTimeVector, each from the one before
    assert [seconds_of(vector, frame) for frame in (1, 2, 3)] == [0.0, 0.03, 0.1]
    assert seconds_of(vector, 4) is None
    assert seconds_of(frames(4), 2) is None
