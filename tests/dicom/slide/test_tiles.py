"""Tiles and their frames, against a list of all frames written out in the order of the standard."""

from itertools import pairwise

import pytest
from highdicom.spatial import iter_tiled_full_frame_data
from hypothesis import given
from hypothesis import strategies as st
from pydicom import Dataset

from dicom.slide.slides import image, make, recorded, slide, sparse
from dicomweb_mcp.dicom.slide import Box, Slide, Unplaced, tile_count, tiles_of
from dicomweb_mcp.errors import BadArgument

Place = tuple[str, int, int, int]


def written_out(columns: int, rows: int, tile: tuple[int, int], planes: int, paths: tuple[str, ...]) -> list[Place]:
    """PS3.3 C.7.6.17.3: along each line of tiles, line by line, focal plane by focal plane, path by path."""
    return [
        (path, plane, x, y)
        for path in paths
        for plane in range(planes)
        for y in range(0, rows, tile[1])
        for x in range(0, columns, tile[0])
    ]


def looked_up(found: Slide, box: Box, plane: int, path: str) -> dict[tuple[int, int], tuple[str, int]]:
    tiles = tiles_of(found.levels[0], box, found.planes[plane], path)
    assert [(tile.y, tile.x) for tile in tiles] == sorted((tile.y, tile.x) for tile in tiles)
    return {(tile.x, tile.y): (tile.instance_uid, tile.frame) for tile in tiles}


@given(data=st.data())
def test_any_tile_of_any_concatenation(data: st.DataObject) -> None:
    columns, rows = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 90))
    tile = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    planes, paths = data.draw(st.integers(1, 3)), ("0", "b", "1")[: data.draw(st.integers(1, 3))]
    order = written_out(columns, rows, tile, planes, paths)
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(order) - 1)), max_size=3)) | {0, len(order)})
    parts = [
        image(columns, rows, f"1.{number}", tile, planes=planes, paths=paths, NumberOfFrames=end - start,
              ConcatenationUID="1.2.9", InConcatenationNumber=number, ConcatenationFrameOffsetNumber=start)
        for number, (start, end) in enumerate(pairwise(cuts), 1)
    ]  # fmt: skip
    found = slide(*data.draw(st.permutations(parts)))
    expected = {
        place: (f"1.{number}", at - start + 1)
        for number, (start, end) in enumerate(pairwise(cuts), 1)
        for at, place in enumerate(order[start:end], start)
    }
    x, y = data.draw(st.integers(0, columns - 1)), data.draw(st.integers(0, rows - 1))
    box = Box(x, y, data.draw(st.integers(1, columns - x)), data.draw(st.integers(1, rows - y)))
    plane, path = data.draw(st.integers(0, planes - 1)), data.draw(st.sampled_from(paths))
    # a tile is part of it when any of its pixels is
    pixels = {(at // tile[0] * tile[0], line // tile[1] * tile[1])
              for at in range(x, x + box.width) for line in range(y, y + box.height)}  # fmt: skip
    assert looked_up(found, box, plane, path) == {(left, top): expected[path, plane, left, top] for left, top in pixels}
    assert tile_count(found.levels[0], box) == len(pixels)
    assert not [note for note in found.notes if "frames" in note or "parts" in note]


def test_frames_are_in_the_order_that_highdicom_has() -> None:
    origin = make(
        XOffsetInSlideCoordinateSystem=0, YOffsetInSlideCoordinateSystem=0, ZOffsetInSlideCoordinateSystem=1.5
    )
    obj = image(50, 30, tile=(16, 12), planes=2, between=0.0025, paths=("b", "a", "c"), ImageOrientationSlide=[0, -1, 0, -1, 0, 0],
                TotalPixelMatrixOriginSequence=[origin], NumberOfOpticalPaths=3)  # fmt: skip
    found = slide(obj)
    frames = {}
    for plane in found.planes:
        for channel, path in enumerate(("b", "a", "c"), 1):
            for tile in tiles_of(found.levels[0], Box(0, 0, 50, 30), plane, path):
                frames[tile.frame] = (channel, plane.number, tile.x + 1, tile.y + 1)
    order = list(iter_tiled_full_frame_data(Dataset.from_json(obj)))
    assert [frames[number] for number in sorted(frames)] == [each[:4] for each in order]
    assert len(order) == 72


@given(data=st.data())
def test_any_tile_of_sparse_images(data: st.DataObject) -> None:
    """Frames in any order and in two instances, with holes, over two focal planes and two paths."""
    tile = (16, 8)
    everywhere = [(x + 1, y + 1, z, path) for path in "ab" for z in (0.0, 2.5) for y in (0, 8, 16) for x in (0, 16, 32)]
    twice = {(1, 1, 0.0, "a"), (1, 1, 2.5, "a")}  # two depths at one place, so that these are two planes
    there = data.draw(st.permutations(sorted(twice | data.draw(st.sets(st.sampled_from(everywhere))))))
    cut = data.draw(st.integers(1, len(there) - 1))
    found = slide(
        *(
            sparse(40, 20, some, f"1.{at}", tile=tile, paths=("a", "b"))
            for at, some in enumerate((there[:cut], there[cut:]))
        )
    )
    expected = {place: ("1.0", at + 1) if at < cut else ("1.1", at - cut + 1) for at, place in enumerate(there)}
    assert [plane.z_um for plane in found.planes] == [0.0, 2.5]
    for plane in found.planes:
        for path in sorted(found.levels[0].path_identifiers):
            assert looked_up(found, Box(0, 0, 40, 20), plane.number - 1, path) == {
                (x, y): expected.get((x + 1, y + 1, plane.z_um, path), ("", 0)) for y in (0, 8, 16) for x in (0, 16, 32)
            }


def test_the_last_frame_of_a_slide_of_31_313() -> None:
    found = slide(*recorded())
    (tile,) = tiles_of(found.levels[0], Box(46_335, 44_287, 1, 1), found.planes[0], "1")
    assert (tile.x, tile.y, tile.frame) == (180 * 256, 172 * 256, 31_313)
    assert tile.instance_uid == "1.3.6.1.4.1.5962.99.1.3510881361.982628633.1635598486609.8.0"


def test_all_tiles_of_a_large_level_are_not_listed() -> None:
    found = slide(*recorded())
    with pytest.raises(BadArgument, match="31,313 tiles"):
        tiles_of(found.levels[0], Box(0, 0, 46_336, 44_288), found.planes[0], "1")


def test_what_a_wrong_number_of_frames_leaves_out_is_missing() -> None:
    found = slide(image(1000, 1000, NumberOfFrames=14))
    tiles = tiles_of(found.levels[0], Box(0, 0, 1000, 1000), found.planes[0], "0")
    assert [tile.frame for tile in tiles] == [*range(1, 15), 0, 0]
    assert [tile.is_missing for tile in tiles] == [False] * 14 + [True] * 2
    assert "Level 0 has 14 frames where 16 fill its size (TILED_FULL), so 2 are missing." in found.notes


def test_a_part_that_is_missing_leaves_a_gap() -> None:
    parts = [image(1000, 1000, f"1.{number}", NumberOfFrames=frames, ConcatenationUID="1.2.9", InConcatenationNumber=number,
                   InConcatenationTotalNumber=3, ConcatenationFrameOffsetNumber=start)
             for number, start, frames in ((1, 0, 5), (3, 11, 5))]  # fmt: skip
    found = slide(*parts)
    tiles = tiles_of(found.levels[0], Box(0, 0, 1000, 1000), found.planes[0], "0")
    assert [(tile.instance_uid, tile.frame) for tile in tiles] == [
        *(("1.1", frame) for frame in range(1, 6)), *[("", 0)] * 6, *(("1.3", frame) for frame in range(1, 6))
    ]  # fmt: skip
    assert any("lacks parts of a concatenation" in note and "parts 2 of 3" in note for note in found.notes)


def test_parts_that_do_not_say_where_they_begin_are_counted() -> None:
    parts = [image(512, 512, f"1.{number}", NumberOfFrames=2, ConcatenationUID="1.2.9", InConcatenationNumber=number)
             for number in (2, 1)]  # fmt: skip
    found = slide(*parts)
    tiles = tiles_of(found.levels[0], Box(0, 0, 512, 512), found.planes[0], "0")
    assert [(tile.instance_uid, tile.frame) for tile in tiles] == [("1.1", 1), ("1.1", 2), ("1.2", 1), ("1.2", 2)]


def test_frames_off_the_grid_are_placed_by_their_pixels() -> None:
    found = slide(sparse(100, 100, [(1, 1), (11, 1), (90, 95), (-5, 40), (200, 1)], tile=(16, 16)))
    level = found.levels[0]
    tiles = tiles_of(level, Box(0, 0, 20, 20), found.planes[0], "0")
    assert [(tile.x, tile.y, tile.frame) for tile in tiles] == [(0, 0, 1), (10, 0, 2)]
    tiles = tiles_of(level, Box(0, 30, 100, 70), found.planes[0], "0")
    assert [(tile.x, tile.y, tile.frame) for tile in tiles] == [(-6, 39, 4), (89, 94, 3)]
    assert any("do not lie on the grid" in note for note in found.notes)
    assert any("1 frame with no position in its matrix" in note for note in found.notes)


def test_tiles_that_are_each_focused_on_their_own_are_one_plane() -> None:
    found = slide(sparse(32, 32, [(1, 1, 1.5), (17, 1, 2.25), (1, 17, 1.5), (17, 17, 0.5)], tile=(16, 16)))
    assert [plane.z_um for plane in found.planes] == [1.5]
    tiles = tiles_of(found.levels[0], Box(0, 0, 32, 32), found.planes[0], "0")
    assert [tile.frame for tile in tiles] == [1, 2, 3, 4]


def test_a_sparse_image_without_its_groups_cannot_be_read_yet() -> None:
    bare = sparse(100, 100, [(1, 1)], "1.2.7", tile=(16, 16))
    del bare["52009230"]
    found = slide(bare)
    assert found.levels[0].unplaced == ["1.2.7"]
    with pytest.raises(Unplaced, match=r"level 0 .* 1\.2\.7"):
        tiles_of(found.levels[0], Box(0, 0, 1, 1), found.planes[0], "0")


def test_planes_and_paths_in_files_of_their_own() -> None:
    def one(uid: str, z: float, path: str) -> dict[str, object]:
        origin = make(
            XOffsetInSlideCoordinateSystem=0, YOffsetInSlideCoordinateSystem=0, ZOffsetInSlideCoordinateSystem=z
        )
        return image(512, 512, uid, paths=(path,), TotalPixelMatrixOriginSequence=[origin])

    found = slide(one("1.1", 2, "DAPI"), one("1.2", 0, "DAPI"), one("1.3", 0, "Cy5"), one("1.4", 2, "Cy5"))
    assert len(found.levels) == 1
    assert [(plane.number, plane.z_um) for plane in found.planes] == [(1, 0), (2, 2)]
    uids = {(plane.number, path.identifier): tiles_of(found.levels[0], Box(0, 0, 9, 9), plane, path.identifier)[0].instance_uid
            for plane in found.planes for path in found.paths}  # fmt: skip
    assert uids == {(1, "DAPI"): "1.2", (2, "DAPI"): "1.1", (1, "Cy5"): "1.3", (2, "Cy5"): "1.4"}


def test_of_two_that_show_the_same_the_one_that_lost_nothing_is_read() -> None:
    jpeg = image(512, 512, "1.1", LossyImageCompression="01", PhotometricInterpretation="YBR_FULL_422")
    plain = image(512, 512, "1.2", LossyImageCompression="00")
    for images in ((jpeg, plain), (plain, jpeg)):
        found = slide(*images)
        assert {tile.instance_uid for tile in tiles_of(found.levels[0], Box(0, 0, 512, 512), found.planes[0], "0")} == {
            "1.2"
        }
        assert any("several images of the same focal plane" in note for note in found.notes)
