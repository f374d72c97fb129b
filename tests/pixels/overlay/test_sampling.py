"""Which pixel of a segmentation lies at each pixel of an image, against affine matrices inverted by numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dicomweb_mcp.dicom.objects.segment_frames import SegmentFrame, have_one_orientation
from dicomweb_mcp.dicom.volume.plane import Grid, Plane
from dicomweb_mcp.pixels.overlay.sampling import Sampler

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def image(origin: Any, orientation: Any = AXIAL, spacing: Any = (1.0, 1.0), rows: int = 6, columns: int = 5) -> Plane:
    grid = Grid("1.2", tuple(orientation), rows, columns, tuple(spacing))
    return Plane(grid, tuple(map(float, origin)))


def frames(positions: Any, orientation: Any = AXIAL, spacing: Any = (1.0, 1.0), start: Any = (0, 0, 0)) -> list[Any]:
    axis = np.cross(orientation[:3], orientation[3:])
    return [
        SegmentFrame(nth, 1, tuple(np.array(start) + axis * at), tuple(orientation), tuple(spacing))
        for nth, at in enumerate(positions, start=1)
    ]


def sampled(target: Plane, found: list[Any], volume: NDArray[Any], depth: float | None) -> NDArray[np.bool_]:
    sampler = Sampler(target, found, depth)
    mask = np.zeros((target.grid.rows, target.grid.columns), dtype=bool)
    for layer in sampler.layers:
        for frame in layer.frames:
            mask |= sampler.mask(layer, frame, volume[frame.number - 1])
    return mask


def affine(origin: Any, orientation: Any, spacing: Any, step: float = 1.0) -> NDArray[np.float64]:
    """From (column, row, plane) to the patient, as PS3.3 C.7.6.2.1.1 writes it."""
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = row * spacing[1], column * spacing[0], np.cross(row, column) * step
    matrix[:3, 3] = origin
    return matrix


def test_a_frame_on_the_image_s_own_grid_is_taken_pixel_by_pixel() -> None:
    volume = np.random.default_rng(1).random((3, 6, 5)) > 0.5
    for nth, z in enumerate((0.0, 2.0, 4.0)):
        target, found = image((0, 0, z)), frames((0, 2, 4))
        assert (sampled(target, found, volume, 2.0) == volume[nth]).all()
        assert Sampler(target, found, 2.0).is_same_grid


def test_a_part_of_the_image_is_placed_by_its_origin_and_not_by_its_index() -> None:
    volume = np.ones((1, 2, 2), dtype=bool)
    mask = sampled(image((0, 0, 0)), frames((0,), start=(3, 1, 0)), volume, 1.0)
    expected = np.zeros((6, 5), dtype=bool)
    expected[1:3, 3:5] = True
    assert (mask == expected).all()


def test_rows_that_run_the_other_way_are_turned() -> None:
    volume = np.random.default_rng(2).random((1, 6, 5)) > 0.5
    turned = (-1.0, 0.0, 0.0, 0.0, -1.0, 0.0)
    mask = sampled(image((0, 0, 0)), frames((0,), turned, start=(4, 5, 0)), volume, 1.0)
    assert (mask == volume[0, ::-1, ::-1]).all()


@pytest.mark.parametrize(("z", "plane"), [(1.4, 0), (1.6, 1), (-1.4, 0), (-1.6, None), (7.4, 2), (7.6, None)])
def test_the_nearest_plane_within_half_its_depth_counts(z: float, plane: int | None) -> None:
    volume = np.zeros((3, 6, 5), dtype=bool)
    for nth in range(3):
        volume[nth, nth] = True
    mask = sampled(image((0, 0, z)), frames((0, 3, 6)), volume, 3.0)
    assert (mask == (volume[plane] if plane is not None else np.zeros((6, 5)))).all()
    if plane is not None:
        assert Sampler(image((0, 0, z)), frames((0, 3, 6)), 3.0).distance == pytest.approx(abs(z - 3 * plane))
        assert not Sampler(image((0, 0, z)), frames((0, 3, 6)), 3.0).is_same_grid


def test_a_plane_that_was_left_out_is_not_filled_from_its_neighbours() -> None:
    """Frames without a pixel are often not stored."""
    volume = np.ones((2, 6, 5), dtype=bool)
    assert not sampled(image((0, 0, 2)), frames((0, 4)), volume, 2.0).any()


def test_only_the_frames_that_the_image_meets_are_needed() -> None:
    layers = Sampler(image((0, 0, 50.2)), frames(range(100)), 1.0).layers
    assert [frame.number for layer in layers for frame in layer.frames] == [51]


def test_without_any_depth_only_the_very_plane_counts() -> None:
    volume = np.ones((1, 6, 5), dtype=bool)
    assert sampled(image((0, 0, 0.05)), frames((0,)), volume, None).all()
    assert not sampled(image((0, 0, 0.5)), frames((0,)), volume, None).any()


@st.composite
def directions(draw: st.DrawFn) -> tuple[float, ...]:
    """A row and a column direction at right angles, any way round."""
    seed = draw(st.integers(0, 10_000))
    matrix, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return tuple(map(float, (*matrix[:, 0], *matrix[:, 1])))


@given(directions(), directions(), st.floats(0.4, 3), st.floats(0.4, 3), st.floats(0.5, 4), st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_any_plane_through_any_volume(
    own: Any, theirs: Any, across: float, down: float, step: float, seed: int
) -> None:
    random = np.random.default_rng(seed)
    volume = random.random((4, 7, 8)) > 0.5
    start = random.normal(size=3) * 10
    middle = affine(start, theirs, (1.5, 0.75), step) @ [3.372, 2.911, 1.3, 1]
    target = image(
        middle[:3] - np.array(own[:3]) * across * 4.5 - np.array(own[3:]) * down * 5, own, (down, across), 11, 10
    )
    found = frames(np.arange(4) * step, theirs, (1.5, 0.75), start)
    mask = sampled(target, found, volume, step)
    columns, rows = np.meshgrid(np.arange(10), np.arange(11))
    points = np.stack([columns, rows, 0 * rows, 1 + 0 * rows], axis=-1) @ affine(target.origin, own, (down, across)).T
    index = points @ np.linalg.inv(affine(start, theirs, (1.5, 0.75), step)).T
    column, row, plane = (index[..., nth] for nth in range(3))
    near = np.rint(np.stack([plane, row, column])).astype(int)
    inside = np.all((near >= 0) & (near < np.array([4, 7, 8])[:, None, None]), axis=0)
    expected = np.zeros(inside.shape, dtype=bool)
    expected[inside] = volume[tuple(near[:, inside])]
    # Half way between two pixels or planes either may be taken; so may a plane's end, which has 0.01 mm of grace.
    is_told = np.all(np.abs(np.abs(index[..., :2]) % 1 - 0.5) > 1e-6, axis=-1) & (np.abs(plane % 1 - 0.5) > 0.03)
    assert (mask == expected)[is_told].all()
    assert is_told.any()


def test_planes_that_are_not_parallel_are_noticed() -> None:
    sagittal = frames((0,), (0.0, 1.0, 0.0, 0.0, 0.0, 1.0))
    assert have_one_orientation(frames((0, 1)))
    assert not have_one_orientation([*frames((0, 1)), *sagittal])
    assert not have_one_orientation([])
