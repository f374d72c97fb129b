"""Levels, and the frame of each of their tiles, against wsidicom on the same files."""

from pathlib import Path

import pytest

from dicom.slide.slides import DATA, files
from dicomweb_mcp.dicom.slide import Box, tiles_of


@pytest.mark.parametrize("name", ["wsi_camelyon_jpeg", "wsi_sparse"])
def test_slides_of_this_repository(name: str) -> None:
    as_wsidicom_says(DATA / name)


@pytest.mark.parametrize("name", ["slide-bone"])
def test_slides_elsewhere(name: str, test_data: Path, tmp_path: Path) -> None:
    """One file of each syntax: they are slides of their own."""
    for path in (test_data / name).glob("*.dcm"):
        folder = tmp_path / path.stem
        folder.mkdir()
        (folder / path.name).write_bytes(path.read_bytes())
        as_wsidicom_says(folder)


def as_wsidicom_says(folder: Path) -> None:
    wsidicom = pytest.importorskip("wsidicom")
    found = files(folder)
    with wsidicom.WsiDicom.open(folder) as opened:
        levels = list(opened.pyramid)
        assert len(levels) == len(found.levels)
        for level, other in zip(found.levels, levels, strict=True):
            grid, image = level.grid, other.default_instance.image_data
            assert (grid.columns, grid.rows) == (other.size.width, other.size.height)
            assert (grid.tile_columns, grid.tile_rows) == (other.tile_size.width, other.tile_size.height)
            assert (grid.across, grid.down) == (image.tiled_size.width, image.tiled_size.height)
            assert level.um == pytest.approx((other.mpp.width, other.mpp.height))
            assert level.factor == (2**other.level, 2**other.level)
            (plane,), (path,) = found.planes, found.paths
            assert image.focal_planes == [plane.z_um]
            assert len(image.optical_paths) == 1  # each has names of its own for paths that have none
            for tile in tiles_of(level, Box(0, 0, grid.columns, grid.rows), plane, path.identifier):
                place = wsidicom.geometry.Point(tile.x // grid.tile_columns, tile.y // grid.tile_rows)
                assert image.tiles.get_frame_index(place, image.default_z, image.default_path) == tile.frame - 1
                assert tile.instance_uid in ("", other.default_instance.identifier)
