"""Against analytic bodies in any rotation, hand-computed polygons and polygons filled by Pillow."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from dicomweb_mcp.dicom.objects.rt.contours import Contour, Malformed, contour_of, stacked

IDENTITY = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
angles = st.floats(0, 2 * math.pi)


@st.composite
def placements(draw):
    """A rotation (from a random quaternion) and a shift."""
    w, x, y, z = (draw(st.floats(-1, 1)) for _ in range(4))
    length = math.sqrt(w * w + x * x + y * y + z * z)
    if length < 0.1:
        w, x, y, z, length = 1.0, 0.0, 0.0, 0.0, 1.0
    w, x, y, z = w / length, x / length, y / length, z / length
    rotation = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return rotation, [draw(st.floats(-500, 500)) for _ in range(3)]


def placed(points, placement=(IDENTITY, (0, 0, 0))) -> Contour:
    rotation, shift = placement
    moved = [
        [
            sum(part * value for part, value in zip(row, point, strict=True)) + by
            for row, by in zip(rotation, shift, strict=True)
        ]
        for point in points
    ]
    return Contour(*([point[axis] for point in moved] for axis in range(3)))


def circle(radius, z, *, at=(0.0, 0.0), points=200):
    turns = (2 * math.pi * step / points for step in range(points))
    return [(at[0] + radius * math.cos(turn), at[1] + radius * math.sin(turn), z) for turn in turns]


def box(x0, y0, x1, y1, z=0.0):
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]


@settings(max_examples=40)
@given(placements(), st.floats(5, 80), st.integers(2, 12), st.floats(0.5, 7), st.randoms())
def test_a_cylinder(placement, radius, planes, spacing, chance) -> None:
    contours = [placed(circle(radius, index * spacing), placement) for index in range(planes)]
    chance.shuffle(contours)
    found = stacked(contours)
    assert len(found.positions) == planes
    assert found.positions == sorted(found.positions)
    assert found.spacing == pytest.approx(spacing, rel=1e-6)
    assert found.volume_mm3 == pytest.approx(math.pi * radius**2 * planes * spacing, rel=1e-3)
    assert (found.crossed, found.uneven) == (0, 0)


@settings(max_examples=20)
@given(placements(), st.floats(20, 60))
def test_a_sphere(placement, radius) -> None:
    heights = [-radius + (index + 0.5) * radius / 30 for index in range(60)]
    found = stacked([placed(circle(math.sqrt(radius**2 - z**2), z), placement) for z in heights])
    assert found.volume_mm3 == pytest.approx(4 / 3 * math.pi * radius**3, rel=2e-3)


@settings(max_examples=20)
@given(placements(), st.booleans(), st.integers(3, 60))
def test_a_ring_has_a_hole_whichever_way_it_is_drawn(placement, backwards, points) -> None:
    inner = circle(10, 0, at=(3, 2), points=points)
    found = stacked([placed(circle(30, 0), placement), placed(inner[::-1] if backwards else inner, placement)])
    hole = points / 2 * 10**2 * math.sin(2 * math.pi / points)  # a regular polygon
    assert found.areas == pytest.approx([200 / 2 * 30**2 * math.sin(2 * math.pi / 200) - hole], rel=1e-6)
    assert found.crossed == 1


@pytest.mark.parametrize(
    ("polygons", "area"),
    [
        ([box(0, 0, 10, 10), box(20, 0, 30, 10)], 200),  # apart
        ([box(0, 0, 10, 10), box(10, 0, 20, 10)], 200),  # side by side
        ([box(0, 0, 10, 10), box(2, 2, 8, 8)], 64),  # a hole
        ([box(0, 0, 10, 10), box(2, 2, 8, 8), box(4, 4, 6, 6)], 68),  # an island in the hole
        ([box(0, 0, 10, 10), box(0, 0, 10, 10)], 0),  # twice the same
        ([[(0, 0, 0), (10, 0, 0), (10, 10, 0), (0, 10, 0), (0, 0, 0), (2, 2, 0), (2, 8, 0), (8, 8, 0), (8, 2, 0), (2, 2, 0)]], 64),  # keyhole
        ([[(0, 0, 0), (10, 0, 0), (0, 10, 0)]], 50),
    ],
)  # fmt: skip
@settings(max_examples=10)
@given(placements())
def test_areas_of_one_plane(polygons, area, placement) -> None:
    found = stacked([placed(polygon, placement) for polygon in polygons])
    assert found.areas == pytest.approx([area], abs=1e-6)
    assert found.volume_mm3 is None


@settings(max_examples=15)
@given(st.integers(0, 10**6))
def test_star_shapes_against_a_filled_picture(seed) -> None:
    chance = random.Random(seed)
    pictures, contours = [], []
    for _ in range(chance.randint(2, 4)):
        at = chance.uniform(30, 70), chance.uniform(30, 70)
        points = [
            (at[0] + radius * math.cos(step / 20 * math.tau), at[1] + radius * math.sin(step / 20 * math.tau), 7.0)
            for step in range(20)
            for radius in [chance.uniform(5, 28)]
        ]
        picture = Image.new("L", (1000, 1000))
        ImageDraw.Draw(picture).polygon([(10 * x, 10 * y) for x, y, _ in points], fill=1)
        pictures.append(picture.tobytes())
        contours.append(placed(points))
    pixels = sum(sum(values) % 2 for values in zip(*pictures, strict=True))
    assert stacked(contours).areas == pytest.approx([pixels / 100], rel=0.02)


@settings(max_examples=30)
@given(placements())
def test_contours_across_one_another_count_where_one_of_them_is(placement) -> None:
    found = stacked([placed(box(0, 0, 10, 10), placement), placed(box(5, 5, 15, 15), placement)])
    assert found.areas == pytest.approx([150], rel=0.02)


@pytest.mark.parametrize("tiny", [1e-313, 1e-30, 1e-16, 1e-12, 1e-8])
def test_edges_that_are_almost_level(tiny) -> None:
    across = (
        [(0, tiny, 0), (10, 0, 0), (10, 10, 0), (0, 10 + tiny, 0)],
        [(5, 5, 0), (15, 5 + tiny, 0), (15, 15, 0), (5, 15, 0)],
    )
    assert stacked([placed(polygon) for polygon in across]).areas == pytest.approx([150], rel=0.02)
    inside = [(2, 2, 0), (8, 2 + tiny, 0), (8, 8, 0), (2, 8, 0)]
    assert stacked([placed(across[0]), placed(inside)]).areas == pytest.approx([64], rel=1e-6)


def test_gaps_are_counted() -> None:
    found = stacked([placed(box(0, 0, 10, 10, z)) for z in (0, 3, 6, 15, 18)])
    assert (found.spacing, found.uneven, found.volume_mm3) == (3, 1, 1500)


def test_planes_that_differ_by_rounding_are_one() -> None:
    pairs = [placed(box(x, 0, x + 10, 10, z + x / 1000)) for z in (0, 3, 6) for x in (0, 20)]
    found = stacked(pairs)
    assert (found.areas, found.spacing, found.uneven, found.volume_mm3) == (
        [200] * 3,
        pytest.approx(3),
        0,
        pytest.approx(1800),
    )


@pytest.mark.parametrize(
    "polygons",
    [
        [],
        [[(1, 2, 3)]],
        [[(1, 2, 3), (4, 5, 6)]],
        [box(0, 0, 10, 10), [(0, 0, 0), (0, 10, 0), (0, 10, 10), (0, 0, 10)]],  # two orientations
        [[(0, 0, 0), (10, 0, 0), (10, 10, 3), (0, 10, 0)]],  # not planar
    ],
)
def test_what_is_no_stack_of_planes(polygons) -> None:
    assert stacked([placed(polygon) for polygon in polygons]) is None


def test_a_contour_of_one_point_lies_on_its_plane_without_area() -> None:
    found = stacked([placed(box(0, 0, 10, 10)), placed([(1, 1, 5)])])
    assert (found.positions, found.areas) == ([0, 5], [100, 0])


def test_the_normal_is_an_axis_or_points_along_the_largest_part() -> None:
    assert stacked([placed(box(0, 0, 10, 10)[::-1])]).normal == (0, 0, 1)
    tilted = ((1, 0, 0), (0, 0.8, -0.6), (0, 0.6, 0.8))
    assert stacked([placed(box(0, 0, 10, 10)[::-1], (tilted, (0, 0, 0)))]).normal == pytest.approx((0, -0.6, 0.8))


@pytest.mark.parametrize("degrees", [0.01, 0.1, 0.25, 0.5])
def test_a_slight_tilt_is_no_axis(degrees) -> None:
    """A gantry tilt of a quarter of a degree lifts the edge of a contour of 400 mm by 1.7 mm."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    tilt = ((1, 0, 0), (0, cosine, -sine), (0, sine, cosine)), (0, 0, 0)
    found = stacked([placed(box(0, 0, 400, 400, z), tilt) for z in (0, 3)])
    assert found.positions == pytest.approx([0, 3])
    assert found.volume_mm3 == pytest.approx(400 * 400 * 2 * 3)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "no contour data"),
        ([], "no contour data"),
        ([1, 2], "not triples"),
        ([1, 2, None], "not numbers"),
        ([1, 2, "x"], "not numbers"),
        (["1", "2", "NaN"], "not numbers or"),
        ([1, 2, 3e7], "beyond a kilometre"),
        ([1, 2, {}], "not numbers"),
    ],
)
def test_malformed_contour_data(value, said) -> None:
    with pytest.raises(Malformed, match=said):
        contour_of({"30060050": {"vr": "DS", "Value": value}})


def test_bulk_contour_data_are_not_there() -> None:
    with pytest.raises(Malformed, match="bulk"):
        contour_of({"30060050": {"vr": "DS", "BulkDataURI": "http://pacs.test/1"}})


def test_contour_data_may_be_text() -> None:
    assert contour_of({"30060050": {"vr": "DS", "Value": ["1.5", " 2", "3e0"]}}) == Contour([1.5], [2.0], [3.0])


def test_work_is_bounded_when_every_edge_meets_every_level() -> None:
    """Two zigzags of 20,000 points would have 400 million crossings."""
    zigzag = [(float(index), (-1) ** index * (1000 - index / 100), 0.0) for index in range(20_000)]
    found = stacked([placed([*zigzag, (20_000.0, -2000, 0), (0.0, -2000, 0)]), placed(box(0, -3000, 9, -2500))])
    assert found.areas[0] > 0
