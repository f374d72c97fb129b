"""get_metadata and describe_object over a real Orthanc and over a folder of the same files: both say the same, and what
pydicom and highdicom read in the files. Where Orthanc's DICOM JSON is not faithful, the difference is named here."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
from mcp import Client
from pydicom import Dataset

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings
from engines.orthanc import Orthanc
from fakes.store import SHIPPED
from tools.reading import answer

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"

# What Orthanc's metadata never has: the transfer syntax, nor which sequence items and pixel data there are.
NEVER = ("TransferSyntaxUID", "AvailableTransferSyntaxUID", "PixelData")

# Attributes that Orthanc 1.10.1 spoils, by the file where it is seen.
SPOILED = {
    # every DS and IS of ISO 2022 IR 13, whose backslash is a yen sign, loses its values or keeps them as one
    "1.2.392.200036.9123.100.11.15002200303521616157144550003340146": "its character set",
    "1.2.777.777.77.7.7777.7777": "NumberOfFrames 1A",  # left out, not sent as it is
    "1.2.826.0.1.3680043.8.498.43029757880331125098557355444280009133": "ImageDisplayFormat",  # an ST cut at its backslash
    "1.2.826.0.1.3680043.10.511.3.75242935203493385780152171061645138": "SharedFunctionalGroupsSequence",  # empty: left out
}  # fmt: skip

# Where these differ within a series, things of several kinds are in it, and the server chooses which is told first.
KINDS = ("SOPClassUID", "ImageType", "DerivationDescription", "TransferSyntaxUID")
SAID = ("instances", "geometry", "acquisition", "constant", "units", "varying", "notes")


@asynccontextmanager
async def both(server: Orthanc, folder: Path) -> AsyncIterator[Client]:
    archives = [{"name": "pacs", "url": server.url}, {"name": "mine", "path": str(folder)}]
    app = App(Settings.model_validate({"archives": archives}))
    async with Client(build(app), raise_exceptions=True) as client:
        yield client


async def pair(client: Client, tool: str, **arguments: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answers of Orthanc and of the folder."""
    pacs = await answer(client, tool, archive="pacs", max_characters=40_000, **arguments)
    mine = await answer(client, tool, archive="mine", max_characters=40_000, **arguments)
    assert (pacs.pop("archive"), mine.pop("archive")) == ("pacs", "mine")
    return pacs, mine


def read(path: str) -> Dataset:
    return pydicom.dcmread((DATA if (DATA / path).exists() else SHIPPED) / path, force=True)


def held(folder: Path, path: str) -> Dataset:
    """The file that the server holds under the UID of this one; pydicom has another version of some."""
    return pydicom.dcmread(folder / f"{read(path).SOPInstanceUID}.dcm")


def nodes(item: Dataset) -> Iterator[Dataset]:
    for inner in item.get("ContentSequence", []):
        yield inner
        yield from nodes(inner)


def names(item: Dataset, meaning: str) -> bool:
    return any(code.CodeMeaning == meaning for code in item.get("ConceptNameCodeSequence", []))


def faithful(value: Any) -> Any:
    """What is compared of an answer: numbers to single precision, since Orthanc rounds very small ones to 0."""
    if isinstance(value, dict):
        return {name: faithful(inner) for name, inner in value.items() if name not in NEVER}
    if isinstance(value, list):
        return [faithful(inner) for inner in value if not str(inner).startswith(NEVER)]
    return round(value, 7) if isinstance(value, float) else value


# ---- metadata


async def test_every_series_is_said_to_be_the_same(orthanc: Orthanc, same_folder: Path) -> None:
    compared = 0
    async with both(orthanc, same_folder) as client:
        listed = await answer(client, "list_series", archive="mine", limit=500, fields=["Modality"])
        for row in listed["rows"]:
            uid = row["SeriesInstanceUID"]
            if uid in SPOILED:
                continue
            pacs, mine = await pair(client, "get_metadata", series_uid=uid)
            mixed = any(keyword in mine.get(section, {}) for keyword in KINDS for section in ("varying", "missing"))
            for part in SAID[:2] if mixed else SAID:
                assert faithful(pacs.get(part)) == faithful(mine.get(part)), (uid, part)
            compared += 1
    assert compared > 60


async def test_what_orthanc_spoils_is_still_what_is_known(orthanc: Orthanc, same_folder: Path) -> None:
    """Should one of these agree, Orthanc got better and the table above is to be shortened."""
    async with both(orthanc, same_folder) as client:
        for uid, what in SPOILED.items():
            pacs, mine = await pair(client, "get_metadata", series_uid=uid)
            assert faithful(pacs) != faithful(mine), what


@pytest.mark.parametrize("path", ["ct-seg-sr/ct/01.dcm", "ct-seg-sr/23x38x3/seg.dcm", "seg-sm-ann-sr/sm_image.dcm"])
async def test_a_study_is_the_same_table(orthanc: Orthanc, same_folder: Path, path: str) -> None:
    async with both(orthanc, same_folder) as client:
        pacs, mine = await pair(client, "get_metadata", study_uid=read(path).StudyInstanceUID)
    assert len(pacs["series"]) == len({row["SeriesInstanceUID"] for row in pacs["series"]}) > 1
    assert pacs["series"] == mine["series"]
    assert pacs["constant"] == mine["constant"]


@pytest.mark.parametrize(
    "path", ["ct-seg-sr/ct/01.dcm", "ct-seg-sr/24x38x3/image1.dcm", "ct-seg-sr/24x38x3/multiframe.dcm"]
)
async def test_a_regular_volume_is_that_of_the_files(orthanc: Orthanc, same_folder: Path, path: str) -> None:
    places = positions(same_folder, read(path).SeriesInstanceUID)
    async with both(orthanc, same_folder) as client:
        found = await answer(client, "get_metadata", archive="pacs", series_uid=read(path).SeriesInstanceUID)
    geometry = found["geometry"]
    assert geometry["regular_volume"] is True, geometry["verdict"]
    assert geometry["slices"] == len(places) == 3
    assert geometry["spacing_mm"] == pytest.approx(float(np.diff(places).mean()), abs=1e-3)
    ends = (geometry["position_mm"]["first"], geometry["position_mm"]["last"])
    assert ends == pytest.approx((places[0], places[-1]), abs=0.01)


def positions(folder: Path, series: str) -> list[float]:
    """Where the planes of an axial series lie along the patient, in order."""
    found = []
    for path in folder.iterdir():
        head = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        if head.get("SeriesInstanceUID") == series:
            frames = head.get("PerFrameFunctionalGroupsSequence", [head])
            found += [frame.get("PlanePositionSequence", [frame])[0].ImagePositionPatient[2] for frame in frames]
    return sorted(map(float, found))


# ---- objects


@pytest.mark.parametrize(
    "path",
    ["ct-seg-sr/ct/01.dcm", "ct-seg-sr/seg/liver.dcm", "ct-seg-sr/seg/partial_overlaps.dcm", "ct-seg-sr/24x38x3/seg.dcm",
     "ct-seg-sr/23x38x3/seg.dcm", "ct-seg-sr/23x38x3/image1.dcm", "ct-seg-sr/pet-measurements/seg.dcm",
     "ct-seg-sr/pet-measurements/sr.dcm", "ct-seg-sr/pet-measurements/rwvm.dcm", "rt-breast/rtplan.dcm",
     "seg-sm-ann-sr/seg_image_ct_true_fractional.dcm", "seg-sm-ann-sr/sr_document.dcm",
     "rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm"],
)  # fmt: skip
async def test_objects_say_the_same(orthanc: Orthanc, same_folder: Path, path: str) -> None:
    async with both(orthanc, same_folder) as client:
        pacs, mine = await pair(client, "describe_object", series_uid=read(path).SeriesInstanceUID)
    assert faithful(pacs) == faithful(mine)


@pytest.mark.parametrize(
    "path", ["ct-seg-sr/seg/partial_overlaps.dcm", "ct-seg-sr/24x38x3/seg.dcm", "ct-seg-sr/23x38x3/seg.dcm"]
)
async def test_segments_are_those_that_highdicom_reads(orthanc: Orthanc, same_folder: Path, path: str) -> None:
    dataset = held(same_folder, path)
    segmentation = hd.seg.Segmentation.from_dataset(dataset)
    async with both(orthanc, same_folder) as client:
        found = await answer(client, "describe_object", archive="pacs", instance_uid=dataset.SOPInstanceUID)
    masks = dataset.pixel_array.reshape(-1, dataset.Rows, dataset.Columns)
    groups = dataset.PerFrameFunctionalGroupsSequence
    numbers = [group.SegmentIdentificationSequence[0].ReferencedSegmentNumber for group in groups]
    measures = dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    step = float(measures.get("SpacingBetweenSlices") or measures.SliceThickness)
    voxel = float(measures.PixelSpacing[0]) * float(measures.PixelSpacing[1]) * step / 1_000
    assert [item["SegmentNumber"] for item in found["items"]] == list(segmentation.segment_numbers)
    for item in found["items"]:
        number = item["SegmentNumber"]
        voxels = sum(int(mask.sum()) for mask, of in zip(masks, numbers, strict=True) if of == number)
        assert item["SegmentLabel"] == segmentation.get_segment_description(number).segment_label
        assert item["voxels"] == voxels
        assert item["volume_ml"] == pytest.approx(voxels * voxel, rel=1e-3)
    (source,) = {row[1] for row in segmentation.get_source_image_uids()}
    assert source in [row["SeriesInstanceUID"] for row in found["sources"]]


async def test_structures_are_those_of_the_file(orthanc: Orthanc, same_folder: Path) -> None:
    dataset = held(same_folder, "rt-breast/rtss.dcm")
    async with both(orthanc, same_folder) as client:
        found, mine = await pair(client, "describe_object", instance_uid=dataset.SOPInstanceUID)
    assert found == mine
    contours = {one.ReferencedROINumber: len(one.get("ContourSequence", [])) for one in dataset.ROIContourSequence}
    truth = [(one.ROINumber, one.ROIName, contours[one.ROINumber]) for one in dataset.StructureSetROISequence]
    assert [(item["ROINumber"], item["ROIName"], item["contours"]) for item in found["items"]] == truth


async def test_measurements_are_those_of_the_report(orthanc: Orthanc, same_folder: Path) -> None:
    dataset = held(same_folder, "ct-seg-sr/pet-measurements/sr.dcm")
    async with both(orthanc, same_folder) as client:
        found = await answer(client, "describe_object", archive="pacs", instance_uid=dataset.SOPInstanceUID)
    group = next(item for item in nodes(dataset) if names(item, "Measurement Group"))
    measured = [item.MeasuredValueSequence[0] for item in nodes(group) if item.ValueType == "NUM"]
    truth = [(float(one.NumericValue), one.MeasurementUnitsCodeSequence[0].CodeValue) for one in measured]
    assert [(item["value"], item["unit"]) for item in found["items"]] == truth
