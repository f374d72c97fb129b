"""Pictures held against Orthanc's own, which windows exactly; and frames that it gives under a wrong name."""

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import HTJ2KLossless

from engines.orthanc import Orthanc
from engines.test_tools_on_orthanc import connected, pixels, rendered
from fakes.store import SHIPPED
from tools.reading import call, text_of

pytestmark = pytest.mark.anyio

OWN = Path(__file__).parents[1] / "data"


def path_of(dataset: Dataset) -> str:
    return f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"


@pytest.mark.parametrize(
    ("file", "windows"),
    [
        (SHIPPED / "CT_small.dcm", ["40,400", "-600,1500", "480,2500", "40.5,80.25", "1000,1"]),
        (SHIPPED / "MR_small.dcm", ["600,1600", "200,3"]),
        (SHIPPED / "MR_small_bigendian.dcm", ["600,1600"]),
        (SHIPPED / "examples_overlay.dcm", ["300,700"]),
        (SHIPPED / "MR_small_jpeg_ls_lossless.dcm", ["700,900"]),
        (OWN / "codec-matrix" / "ct" / "1.2.840.10008.1.2.4.81.dcm", ["40,400", "-600,1500"]),
        (OWN / "codec-matrix" / "ct" / "1.2.840.10008.1.2.4.51.dcm", ["40,400"]),
        (SHIPPED / "MR_small_RLE.dcm", ["600,1600"]),
        (OWN / "rt-breast" / "ct.0.dcm", ["40,80", "90,150"]),
        (OWN / "ct-seg-sr" / "ct" / "01.dcm", ["50,350"]),
        (OWN / "seg-sm-ann-sr" / "dx_image.dcm", ["128,200", "60,40"]),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else None,
)
async def test_windows_are_those_of_orthanc(orthanc: Orthanc, file: Path, windows: list[str]) -> None:
    """Bit for bit: it rounds halves up as well."""
    dataset = dcmread(file)
    async with connected(orthanc) as client:
        for window in windows:
            png = rendered(orthanc, f"{path_of(dataset)}/rendered?window={window},linear")
            expected = np.asarray(Image.open(io.BytesIO(png)))
            assert expected.shape == (dataset.Rows, dataset.Columns)
            assert expected.std() > 5, "there is something to see"
            asked = {"window": window, "size": 1024, "format": "png"}
            ours = pixels(await call(client, "render_frame", instance_uid=dataset.SOPInstanceUID, **asked))
            factor = ours.shape[0] // dataset.Rows  # small pictures are enlarged by repeating pixels
            np.testing.assert_array_equal(ours[::factor, ::factor], expected)


async def test_a_stream_that_is_called_uncompressed_is_not_shown_as_pixels(
    new_orthanc: Callable[..., Orthanc],
) -> None:
    """Orthanc 1.10 does not know High-Throughput JPEG 2000, and calls its frames Explicit VR Little Endian."""
    dataset = dcmread(SHIPPED / "CT_small.dcm")
    dataset.PixelData = encapsulate([bytes(imagecodecs.htj2k_encode(dataset.pixel_array, reversible=True))])
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = HTJ2KLossless
    with new_orthanc() as server:
        assert server.store([dataset]).refused == {}
        async with connected(server) as client:
            for asked in ({}, {"window": "40,400"}, {"probe": [[1, 1]]}):
                result = await call(client, "render_frame", instance_uid=dataset.SOPInstanceUID, **asked)
                if result.is_error:
                    assert "are a JPEG 2000 stream: the archive named the wrong transfer syntax" in text_of(result)
                else:  # one that knows it
                    assert "High-Throughput JPEG 2000" in text_of(result)
