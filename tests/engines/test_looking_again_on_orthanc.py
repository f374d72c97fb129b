"""Looking again at pictures of an Orthanc that is gone: what is shown then came without any request."""

from collections.abc import Callable

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from dicomweb_mcp.archives.base import Unreachable
from dicomweb_mcp.services.app import App
from dicomweb_mcp.services.pictures import FrameRequest, show_frame
from dicomweb_mcp.services.preview import SeriesRequest, show_series
from dicomweb_mcp.settings import load
from engines.orthanc import Orthanc

pytestmark = pytest.mark.anyio


async def test_pictures_are_shown_again_without_a_server(new_orthanc: Callable[..., Orthanc]) -> None:
    slices = []
    for k in range(1, 5):
        one = dcmread(get_testdata_file("CT_small.dcm"))
        one.InstanceNumber, one.ImagePositionPatient = k, [0, 0, 10.0 * k]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{k}"
        slices.append(one)
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
