"""Slide images made to measure, as DICOM JSON, and those of tests/data."""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pydicom

from dicomweb_mcp.dicom.slide import Slide, read_instance, slide_of
from segmentations import code, make

DATA = Path(__file__).parents[2] / "data"
SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"


def image(columns: int, rows: int, uid: str = "", tile: tuple[int, int] = (256, 256), **more: Any) -> dict[str, Any]:
    """A brightfield slide image, TILED_FULL with all its frames, 0.25 um per pixel at 40,000 columns; ``more`` are
    attributes, None to leave one out, and ``planes``, ``paths``, ``spacing``, ``kind``."""
    planes, paths = more.pop("planes", 1), more.pop("paths", ("0",))
    spacing = more.pop("spacing", 0.00025 * 40_000 / columns)
    frames = -(-columns // tile[0]) * -(-rows // tile[1]) * planes * len(paths)
    measures = {} if spacing is None else {"PixelSpacing": [spacing, spacing]}
    measures |= {"SpacingBetweenSlices": more.pop("between", 0.002)} if planes > 1 else {}
    values = {
        "SOPClassUID": SLIDE_CLASS,
        "SOPInstanceUID": uid or f"1.2.3.{columns}.{rows}",
        "Modality": "SM",
        "ImageType": ["ORIGINAL", "PRIMARY", more.pop("kind", "VOLUME"), "NONE"],
        "FrameOfReferenceUID": "1.2.3",
        "DimensionOrganizationType": "TILED_FULL",
        "PhotometricInterpretation": "RGB",
        "NumberOfFrames": frames,
        "TotalPixelMatrixColumns": columns,
        "TotalPixelMatrixRows": rows,
        "TotalPixelMatrixFocalPlanes": planes,
        "Columns": tile[0],
        "Rows": tile[1],
        "ContainerIdentifier": "S-1",
        "OpticalPathSequence": [make(OpticalPathIdentifier=path, ObjectiveLensPower=40) for path in paths],
        "SharedFunctionalGroupsSequence": [make(PixelMeasuresSequence=[make(**measures)])],
    } | more
    return make(**{name: value for name, value in values.items() if value is not None}).to_json_dict()


def sparse(columns: int, rows: int, positions: Iterable[tuple[Any, ...]], uid: str = "", **more: Any) -> dict[str, Any]:
    """TILED_SPARSE with a frame at each position: x and y from 1, as DICOM counts, and maybe z in um and path."""
    frames = []
    for x, y, *rest in positions:
        place = make(ColumnPositionInTotalImagePixelMatrix=x, RowPositionInTotalImagePixelMatrix=y)
        if rest:
            place.ZOffsetInSlideCoordinateSystem = rest[0]
        frames.append(make(PlanePositionSlideSequence=[place]))
        if len(rest) > 1:
            frames[-1].OpticalPathIdentificationSequence = [make(OpticalPathIdentifier=rest[1])]
    more = {"DimensionOrganizationType": "TILED_SPARSE", "PerFrameFunctionalGroupsSequence": frames, **more}
    return image(columns, rows, uid, NumberOfFrames=len(frames), TotalPixelMatrixFocalPlanes=None, **more)


def slide(*images: dict[str, Any]) -> Slide:
    return slide_of(map(read_instance, images))


def pyramid(*sizes: tuple[int, int], **more: Any) -> Slide:
    return slide(*(image(columns, rows, **more) for columns, rows in sizes))


@cache
def recorded() -> list[dict[str, Any]]:
    """The metadata of a slide of TCGA, as IDC gives them."""
    path = DATA / "slide-metadata/TCGA-05-4244-01Z-00-DX1.json"
    images: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["images"]
    return images


@cache
def files(folder: Path) -> Slide:
    """The slide that the files of a folder are."""
    found = sorted(folder.glob("*.dcm"))
    assert found
    return slide(*(pydicom.dcmread(path, stop_before_pixels=True).to_json_dict() for path in found))


__all__ = ["DATA", "code", "files", "image", "make", "pyramid", "recorded", "slide", "sparse"]
