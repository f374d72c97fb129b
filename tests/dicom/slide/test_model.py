"""Levels, images, focal planes, optical paths and notes of slides."""

import base64
import json
import tracemalloc
from fractions import Fraction
from typing import Any

import pytest

from dicom.slide.slides import DATA, code, files, image, make, pyramid, recorded, slide, sparse
from dicomweb_mcp.dicom.encoded import encoded_objects
from dicomweb_mcp.dicom.slide import Slide, read_instance
from dicomweb_mcp.dicom.tags import tag_of
from dicomweb_mcp.errors import BadArgument

SIZES = (40_000, 30_000), (10_000, 7_500), (2_500, 1_875)


def noted(found: Slide, *words: str) -> bool:
    return any(all(word in note for word in words) for note in found.notes)


def test_the_levels_of_a_recorded_slide() -> None:
    found = slide(*recorded())
    assert [(level.grid.columns, level.grid.rows, level.grid.across, level.grid.down, level.frames) for level in found.levels] == [
        (46_336, 44_288, 181, 173, 31_313),
        (11_584, 11_072, 46, 44, 2_024),
        (2_896, 2_768, 12, 11, 132),
        (803, 768, 1, 1, 1),
    ]  # fmt: skip
    assert [level.factor for level in found.levels[:3]] == [(1, 1), (4, 4), (16, 16)]
    assert found.levels[3].factor == (Fraction(46_336, 803), Fraction(44_288, 768))
    assert [level.magnification for level in found.levels[:3]] == [20, 5, 1.25]
    assert [level.um_per_px for level in found.levels[:3]] == pytest.approx([0.2325, 0.93, 3.72])
    assert found.mm_per_px == (0.0002325, 0.0002325)
    (thumbnail,) = found.images
    assert (thumbnail.role, thumbnail.level) == ("thumbnail", 3)
    assert found.levels[3].is_thumbnail
    assert noted(found, "ObjectiveLensPower is 20", "43x")
    assert len(found.notes) == 2


def test_real_pyramids() -> None:
    found = files(DATA / "wsi_camelyon_jpeg")
    assert [level.factor for level in found.levels] == [(1, 1), (2, 2), (4, 4), (8, 8)]  # also where 700 / 8 is 87.5
    assert found.levels[0].spacing == (0.028968, 0.028969)
    assert found.levels[0].um == pytest.approx((28.969, 28.968))
    assert found.objective_power is None
    assert noted(found, "No objective power", "10 / um")
    assert files(DATA / "wsi_sparse").levels[0].frames == 8


def test_levels_do_not_depend_on_the_order_of_instances() -> None:
    images = [image(*size) for size in SIZES]
    assert slide(*images) == slide(*reversed(images))
    assert [level.number for level in slide(*images).levels] == [0, 1, 2]


def test_a_level_without_spacing_is_computed_from_another() -> None:
    found = slide(image(*SIZES[0], spacing=None), image(*SIZES[1]), image(*SIZES[2], spacing=None))
    assert [level.spacing for level in found.levels] == [None, (0.001, 0.001), None]
    assert [level.um_per_px for level in found.levels] == pytest.approx([0.25, 1, 4])
    assert noted(found, "No PixelSpacing at level 0, 2", "that of level 1")


def test_without_any_spacing_the_imaged_volume_tells() -> None:
    found = pyramid(*SIZES, spacing=None, ImagedVolumeWidth=20.0, ImagedVolumeHeight=15.0)
    assert found.levels[1].um == pytest.approx((2, 2))
    assert noted(found, "No PixelSpacing at level 0, 1, 2", "ImagedVolumeWidth")
    bare = pyramid(*SIZES, spacing=None)
    assert [level.um for level in bare.levels] == [None] * 3
    assert [level.magnification for level in bare.levels] == [40, 10, 2.5]
    assert noted(bare, "No level says its PixelSpacing.")


def test_magnification_without_an_objective_power_is_computed() -> None:
    found = pyramid(*SIZES, OpticalPathSequence=[make(OpticalPathIdentifier="1")])
    assert [level.magnification for level in found.levels] == pytest.approx([40, 10, 2.5])
    assert found.objective_power is None
    nothing = pyramid(*SIZES, spacing=None, OpticalPathSequence=None)
    assert [level.magnification for level in nothing.levels] == [None] * 3


def test_a_spacing_that_its_size_contradicts_is_told() -> None:
    found = slide(image(*SIZES[0]), image(*SIZES[1], spacing=0.002))
    assert noted(found, "Level 1 says 2 um per pixel, but its size means 1.")


def test_another_aspect_ratio_is_told() -> None:
    assert noted(slide(image(40_000, 30_000), image(10_000, 6_000)), "Level 1 has another aspect ratio")
    assert not noted(slide(image(1152, 700), image(3, 2)), "aspect ratio")  # that is rounding


def test_what_is_no_level() -> None:
    annotation = {
        "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.91.1"]},
        "00080060": {"vr": "CS", "Value": ["ANN"]},
    }
    found = slide(
        image(*SIZES[0]),
        image(*SIZES[1], FrameOfReferenceUID="1.2.4"),
        image(*SIZES[2], "1.5", TotalPixelMatrixColumns=0, NumberOfFrames=80),
        image(*SIZES[0], "1.6", tile=(512, 512)),
        image(*SIZES[0]),
        image(600, 800, "1.7", tile=(600, 800), kind="LABEL"),
        image(900, 400, "1.8", tile=(900, 400), kind="OVERVIEW", FrameOfReferenceUID="1.9"),
        annotation,
    )  # fmt: skip
    assert len(found.levels) == 1
    assert [(each.role, each.instance.uid, each.level) for each in found.images] == [
        ("label", "1.7", None),
        ("overview", "1.8", None),
    ]
    assert noted(found, "another frame of reference", "1.2.3.10000.7500")
    assert noted(found, "without a readable size", "1.5")
    assert noted(found, "tiles have another size")
    assert noted(found, "Came again", "1 instance.")
    assert noted(found, "no slide images: 1 object of")


@pytest.mark.parametrize(
    ("size", "more", "is_level"),
    [
        ((400, 300), {}, True),
        ((400, 300), {"spacing": 0.026}, False),  # a larger area
        ((400, 400), {"spacing": None}, False),  # another shape
        ((400, 300), {"FrameOfReferenceUID": "1.9"}, False),
        ((4_000, 3_000), {}, False),  # finer than the coarsest level
    ],
)
def test_a_thumbnail_of_the_same_area_is_the_coarsest_level(
    size: tuple[int, int], more: dict[str, Any], is_level: bool
) -> None:
    found = slide(*(image(*each) for each in SIZES), image(*size, "1.7", tile=size, kind="THUMBNAIL", **more))
    assert len(found.levels) == 3 + is_level
    assert [(each.role, each.level) for each in found.images] == [("thumbnail", 3 if is_level else None)]


def test_focal_planes_by_their_distance() -> None:
    found = pyramid(*SIZES, planes=3, between=0.0015)
    assert [(plane.number, plane.z_um) for plane in found.planes] == [(1, 0), (2, 1.5), (3, 3)]
    assert found.usual_plane(found.levels[0]).number == 2
    with pytest.raises(BadArgument, match="numbered 1 to 3"):
        found.plane(4)
    unknown = pyramid(SIZES[0], planes=2, between=0)
    assert [plane.z_um for plane in unknown.planes] == [None, None]
    assert noted(unknown, "only their order is known")


def test_a_coarse_level_of_one_plane_shows_its_own() -> None:
    found = slide(image(*SIZES[0], planes=3), image(*SIZES[1]))
    assert [plane.z_um for plane in found.planes] == [0, 2, 4]
    assert found.usual_plane(found.levels[1]).z_um == 0
    assert noted(found, "Not every focal plane is on level 1.")


def test_levels_of_one_plane_each_have_one_plane() -> None:
    origin = [make(ZOffsetInSlideCoordinateSystem=7)]
    found = slide(image(*SIZES[0], TotalPixelMatrixOriginSequence=origin), image(*SIZES[1]))
    (plane,) = found.planes
    assert plane.z_um == 7
    assert all(level.shows(plane) for level in found.levels)


def test_optical_paths_have_names_and_colours() -> None:
    def table(*entries: int) -> dict[str, Any]:
        return {
            "vr": "OW",
            "InlineBinary": base64.b64encode(b"".join(each.to_bytes(2, "little") for each in entries)).decode(),
        }

    def descriptor() -> dict[str, Any]:
        return {"vr": "US", "Value": [3, 0, 16]}

    obj = image(*SIZES[0], paths=("1", "2", "3"))
    first, second, third = obj["00480105"]["Value"]
    channel = make(ChannelDescriptionCodeSequence=[code("C1", "DAPI")], IlluminationWaveLength=461.0).to_json_dict()
    first |= channel | {"0062000D": {"vr": "US", "Value": [21199, 53046, 5198]}}  # blue, in highdicom's numbers
    second["00480120"] = {"vr": "SQ", "Value": [{
        "00281101": descriptor(), "00281102": descriptor(), "00281103": descriptor(),
        "00281201": table(0, 0x8000, 0xFF00), "00281202": table(0, 0x4000, 0x8000), "00281203": table(0, 0, 0),
    }]}  # fmt: skip
    third |= make(OpticalPathDescription="Alexa 647").to_json_dict() | {"00282000": {"vr": "OB", "BulkDataURI": "icc"}}
    found = slide(obj)
    assert [(path.identifier, path.name) for path in found.paths] == [("1", "DAPI"), ("2", "2"), ("3", "Alexa 647")]
    assert found.paths[0].wavelength_nm == 461
    assert found.paths[1].colour == "#ff8000"
    assert [path.has_profile for path in found.paths] == [False, False, True]
    assert found.path("2").identifier == "2"
    assert found.path("dapi").identifier == "1"
    assert found.path("alexa").identifier == "3"
    with pytest.raises(BadArgument, match=r"1 DAPI, 2, 3 Alexa 647"):
        found.path("Cy5")
    from highdicom.color import CIELabColor

    rgb = CIELabColor.from_dicom_value((21199, 53046, 5198)).to_rgb(clip=True)
    shown = [int(found.paths[0].colour[at : at + 2], 16) for at in (1, 3, 5)]
    assert all(abs(one - other) <= 1 for one, other in zip(shown, rgb, strict=True))


def test_rows_of_a_search_make_a_slide() -> None:
    """Without functional groups, optical paths and the kind of tiling."""
    rows = []
    for size in SIZES:
        full = image(*size, ImagedVolumeWidth=10.0, ImagedVolumeHeight=7.5)
        rows.append(
            {tag: full[tag] for tag in full if tag not in ("52009229", "00209311", "00480105", "00480303", "00080016")}
        )
    found = slide(*rows)
    assert [level.um_per_px for level in found.levels] == pytest.approx([0.25, 1, 4])
    assert [level.frames for level in found.levels] == [157 * 118, 40 * 30, 10 * 8]
    assert [path.identifier for path in found.paths] == ["1"]
    assert noted(found, "Level 0 does not say its DimensionOrganizationType")


def test_frames_at_one_place_are_told() -> None:
    assert noted(slide(sparse(40, 20, [(1, 1), (1, 1)], tile=(16, 16))), "1 frame at the place of another")


def test_no_slide_at_all() -> None:
    for found in (slide(), slide({}), slide(image(600, 800, kind="LABEL"))):
        assert found.levels == ()
        assert noted(found, "No image of the series is a level")
        with pytest.raises(BadArgument, match="no level"):
            found.level(0)


def test_groups_of_implied_frames_are_not_decoded() -> None:
    """Neither their time nor their memory grows with the frames; the size of a pixel is taken where it is said."""
    frames = 20_000
    body = json.dumps([image(40_000, 30_000) | needless(frames, spacing=9)]).encode()
    (obj,) = encoded_objects(body)
    read_instance(encoded_objects(json.dumps([image(256, 256)]).encode())[0])  # what is imported is not counted
    tracemalloc.start()
    try:
        found = read_instance(obj)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (found.spacing, found.is_sparse, found.places) == ((0.00025, 0.00025), False, None)
    assert peak < len(body) / 20


def test_the_size_of_a_pixel_may_stand_in_the_groups_of_frames_alone() -> None:
    (obj,) = encoded_objects(json.dumps([image(512, 512, spacing=None) | needless(4, spacing=9)]).encode())
    assert read_instance(obj).spacing == (9, 9)


def needless(frames: int, spacing: float) -> dict[str, Any]:
    """Per-frame groups of a TILED_FULL image, of which the size of a pixel is another one."""
    place = make(ColumnPositionInTotalImagePixelMatrix=1, RowPositionInTotalImagePixelMatrix=1)
    measures = make(PixelSpacing=[spacing, spacing])
    group = make(PlanePositionSlideSequence=[place], PixelMeasuresSequence=[measures]).to_json_dict()
    return {tag_of("PerFrameFunctionalGroupsSequence"): {"vr": "SQ", "Value": [group] * frames}}
