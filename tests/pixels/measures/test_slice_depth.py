"""How deep a voxel is, and whether anyone knows."""

from typing import Any

import pytest

from dicomweb_mcp.pixels.measures.slice_depth import slice_depth


@pytest.mark.parametrize(
    ("positions", "spacing", "thickness", "depth", "said"),
    [
        ([0, 2, 4], 2, 5, 2, ""),
        ([0, 0, 2, 2.001], 2, None, 2, ""),  # repeated positions are one plane
        ([0, 0.02, 2, 2.02, 4, 4.02], 2, None, 2, ""),  # as are those that differ by rounding
        ([0, 0.02, 2, 2.02, 4, 4.02], None, 2, 2, "neighbouring frames, 2.00 mm"),
        ([0, 0.05, 0.1, 0.15, 4, 4.05], None, None, 0.05, "neighbouring frames, 0.05 mm"),  # these do not
        ([0, 2, 8], 2, None, 2, ""),  # empty frames are left out of sparse objects
        ([0, 2, 4], None, 2, 2, "distance of neighbouring frames"),
        ([0, 2, 4], 5, None, 2, "does not agree"),  # the positions are right
        ([0, 3, 5], None, None, 2.5, "estimates"),
        ([0, 3.5, 5], 2, None, 2.5, "estimates"),
        ([0, 50], None, 1.25, 50, "SliceThickness is 1.25"),
        ([0, 50], 1, None, 1, "50.00 mm apart"),
        ([7], 3, 5, 3, ""),
        ([7], None, 5, 5, "SliceThickness"),
        ([7], None, None, None, ""),
        ([], 0, -1, None, ""),
    ],
)
def test_depth(positions: list[float], spacing: Any, thickness: Any, depth: float | None, said: str) -> None:
    found = slice_depth(positions, spacing, thickness)
    assert found.mm == (None if depth is None else pytest.approx(depth))
    assert said in found.note
    assert bool(said) == bool(found.note)
