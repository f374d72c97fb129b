"""Metadata of no sane server, and very much of it: nothing but Problems is raised, and nothing takes long."""

import json
import tracemalloc
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pytest

from dicom.objects.mangling import mangled_object
from dicom.slide.slides import image, recorded, slide, sparse
from dicomweb_mcp.dicom.slide import Box, BoxRequest, Slide, read_instance, region, slide_of, table, tiles_of
from dicomweb_mcp.dicom.values import normalized
from dicomweb_mcp.errors import Problem

CONCATENATED = [
    image(3000, 2000, f"1.{part}", planes=2, paths=("a", "b"), ConcatenationUID="1.2.9", InConcatenationNumber=part,
          InConcatenationTotalNumber=3, ConcatenationFrameOffsetNumber=128 * part - 128, NumberOfFrames=128)
    for part in (1, 2, 3)
]  # fmt: skip
SPARSE = [
    sparse(300, 200, [(x, y, z, path) for path in "ab" for z in (0, 2) for y in (1, 65) for x in (1, 65, 129)],
           tile=(64, 64), paths=("a", "b")),
    sparse(300, 200, [(3, 5), (70, 65)], "1.8", tile=(64, 64)),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(150))
@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
def test_mangled_metadata(seed: int, share: float) -> None:
    images = [*recorded(), *CONCATENATED, *SPARSE][seed % 3 :: 3]
    objects = [normalized(mangled_object(obj, seed + at, share)) for at, obj in enumerate(images)]
    used(slide_of(map(read_instance, objects)))


def used(found: Slide) -> None:
    shown = json.dumps(asdict(table(found)), allow_nan=False, ensure_ascii=False)
    assert shown.isprintable()
    assert "\\u" not in shown  # as JSON writes a control character
    assert len(shown) < 30_000
    for level in found.levels:
        for wanted in (BoxRequest(whole=True, level=level.number, size=512), BoxRequest(whole=True, um_per_px=2)):
            with suppress(Problem):
                read = region(found, wanted)
                for path in found.paths:
                    for tile in tiles_of(read.level, read.box, found.usual_plane(read.level), path.identifier):
                        assert tile.frame >= 0


@pytest.mark.parametrize(
    "more",
    [
        {"TotalPixelMatrixColumns": 2**32 - 1, "TotalPixelMatrixRows": 2**32 - 1},
        {"TotalPixelMatrixColumns": 9_999_999, "TotalPixelMatrixRows": 9_999_999, "Rows": 1, "Columns": 1},
        {"TotalPixelMatrixFocalPlanes": 2**32 - 1},
        {"NumberOfFrames": 2**31 - 1, "ConcatenationUID": "1.2", "InConcatenationTotalNumber": 65_535},
        {"ConcatenationUID": "1.2", "ConcatenationFrameOffsetNumber": 2**32 - 1},
    ],
)
def test_absurd_numbers(more: dict[str, Any]) -> None:
    used(slide(image(4000, 3000, **more), image(1000, 750)))


def test_a_part_of_an_absurd_number() -> None:
    part = image(4000, 3000, ConcatenationUID="1.2") | {"00209162": {"vr": "US", "Value": [10**12]}}
    used(slide(part))


def test_very_many_instances_of_one_level() -> None:
    """Each with all that one can claim: a hundred focal planes and optical paths."""
    one = image(4000, 3000, planes=100, paths=tuple(map(str, range(100))))
    found = slide(*({**one, "00080018": {"vr": "UI", "Value": [f"1.{at}"]}} for at in range(500)))
    used(found)
    assert len(found.notes) <= 21


def test_a_large_sparse_level_is_kept_small() -> None:
    """40,000 frames: what is kept of them is 16 bytes each, not their groups."""
    groups = sparse(512, 512, [(1, 1)])["52009230"]["Value"][0]
    x, y = (next(iter(groups.values()))["Value"][0][tag] for tag in ("0048021E", "0048021F"))

    def group(at: int) -> dict[str, Any]:
        place = {"0048021E": {**x, "Value": [at % 200 * 256 + 1]}, "0048021F": {**y, "Value": [at // 200 * 256 + 1]}}
        return {"0048021A": {"vr": "SQ", "Value": [place]}}

    obj = sparse(51_200, 51_200, [(1, 1)]) | {"00280008": {"vr": "IS", "Value": [40_000]}}
    obj["52009230"] = {"vr": "SQ", "Value": [group(at) for at in range(40_000)]}
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        instance = read_instance(obj)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 1_500_000
    found = slide_of([instance])
    (tile,) = tiles_of(found.levels[0], Box(256 * 17, 256 * 123, 1, 1), found.planes[0], "0")
    assert tile.frame == 123 * 200 + 17 + 1
