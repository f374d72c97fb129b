"""Pictures of an Orthanc: from whatever metadata its series have, and again when it is gone, without any request."""

from collections.abc import Callable

import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.base import Unreachable
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.pictures import FrameRequest, show_frame
from dicomweb_mcp.services.preview import SeriesRequest, show_series
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc

pytestmark = pytest.mark.anyio


def ct_slices(count: int) -> list[Dataset]:
    """Each with a RescaleSlope of its own."""
    slices = []
    for k in range(1, count + 1):
        one = dcmread(get_testdata_file("CT_small.dcm"))
        one.InstanceNumber, one.ImagePositionPatient, one.RescaleSlope = k, [0, 0, 10.0 * k], k
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k}"
        slices.append(one)
    return slices


EXTRAPOLATED = [
    "BitsAllocated", "BitsStored", "Columns", "HighBit", "PhotometricInterpretation", "PixelSpacing",
    "PixelRepresentation", "RescaleIntercept", "RescaleSlope", "Rows", "SOPClassUID", "SamplesPerPixel",
]  # fmt: skip


@pytest.mark.parametrize("given", ["Full", "MainDicomTags", "Extrapolate"])
async def test_values_are_those_of_each_instance(new_orthanc: Callable[..., Orthanc], given: str) -> None:
    """Also of a server that gives the metadata of a series out of its index, and guesses the rest from a few."""
    slices = ct_slices(4)
    uids = {"study_uid": str(slices[0].StudyInstanceUID), "series_uid": str(slices[0].SeriesInstanceUID)}
    with new_orthanc(SeriesMetadata=given, SeriesMetadataExtrapolatedTags=EXTRAPOLATED) as server:
        server.store(slices)
        app = App(load(archives=[f"pacs={server.url}"], environment={}))
        try:
            for k, one in enumerate(slices, start=1):
                shown = await show_frame(app, None, FrameRequest(**uids, slice=k, probe=((1, 2),)))
                real = one.pixel_array[2, 1] * one.RescaleSlope + one.RescaleIntercept
                assert shown.facts["probe"].startswith(f"[1, 2] {real:.0f} ")
                assert shown.facts["slice"].startswith(f"{k} of 4 in geometric order")
        finally:
            await app.close()


async def test_pictures_are_shown_again_without_a_server(new_orthanc: Callable[..., Orthanc]) -> None:
    slices = ct_slices(4)
    uid = str(slices[0].SeriesInstanceUID)
    with new_orthanc() as server:
        server.store(slices)
        app = App(load(archives=[f"pacs={server.url}"], environment={}))
        try:
            await show_frame(app, None, FrameRequest(series_uid=uid, slice=3))
            await show_series(app, None, SeriesRequest(series_uid=uid, samples=3))
            server.stop()
            again = await show_frame(app, None, FrameRequest(series_uid=uid, slice=3, window="40,400", probe=((1, 2),)))
            stored = slices[2].pixel_array[2, 1] * slices[2].RescaleSlope + slices[2].RescaleIntercept
            assert again.facts["probe"].startswith(f"[1, 2] {stored:.0f} ")
            sheet = await show_series(app, None, SeriesRequest(series_uid=uid, samples=3, windows=("40,400", "bone")))
            assert "Archive pacs" not in f"{sheet.facts}{sheet.notes}", "no tile failed"
            with pytest.raises(Unreachable):
                await show_frame(app, None, FrameRequest(series_uid=uid, slice=2))
        finally:
            await app.close()
