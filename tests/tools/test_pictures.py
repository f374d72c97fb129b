"""render_frame over the scripted servers: the picture, and a caption that says what it is."""

import base64
import io
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image, ImageCms
from pydicom.pixels import apply_modality_lut, apply_windowing, pixel_array

from dicomweb_mcp.pixels.decode import DECODERS
from fakes.dcm4chee import Dcm4chee
from fakes.google import IDC_BASE, Google
from fakes.store import Store
from tools.eras import IN_BOTH_ERAS
from tools.picture_helpers import SERVERS, Making, dataset
from tools.reading import answer, call, image_of, refusal, shown, text_of

pytestmark = pytest.mark.anyio

NAMES = ("CT_small.dcm", "examples_palette.dcm", "SC_rgb_rle_2frame.dcm", "examples_ybr_color.dcm", "693_J2KI.dcm",
         "MR_small_bigendian.dcm", "test-SR.dcm", "examples_overlay.dcm")  # fmt: skip


@pytest.mark.parametrize(("kind", "making"), SERVERS)
@IN_BOTH_ERAS
async def test_a_window_of_the_file_is_applied_as_pydicom_does(connect: Any, kind: str, making: Making) -> None:
    """The 300 x 484 MR image needs no scaling, so every pixel can be compared."""
    ct = dataset("examples_overlay.dcm")
    window = apply_windowing(apply_modality_lut(pixel_array(ct), ct), ct, index=0)
    expected = window / (2**ct.BitsStored - 1) * 255
    center, width = float(ct.WindowCenter[0]), float(ct.WindowWidth[0])
    async with connect(pacs=(making(Store.shipped(*NAMES)), kind)) as client:
        result = await call(client, "render_frame", instance_uid=ct.SOPInstanceUID, format="png")
    picture, text = shown(result), text_of(result)
    assert f"window {center:g}/{width:g} of the file" in text
    assert "rendered by: this program, from the stored frame" in text
    assert picture.shape == expected.shape == (300, 484)
    assert np.abs(picture - expected).max() <= 1


@pytest.mark.parametrize(("kind", "making"), SERVERS)
@pytest.mark.parametrize("name", [name for name in NAMES if name != "test-SR.dcm"])
async def test_every_kind_of_pixels_from_every_kind_of_server(
    connect: Any, kind: str, making: Making, name: str
) -> None:
    one = dataset(name)
    async with connect(pacs=(making(Store.shipped(*NAMES)), kind)) as client:
        result = await call(client, "render_frame", instance_uid=one.SOPInstanceUID)
    picture, text = shown(result), text_of(result)
    assert f"SOPInstanceUID: {one.SOPInstanceUID}" in text
    assert f"native size: {one.Columns} x {one.Rows} pixels" in text
    if kind == "idc" and name == "examples_palette.dcm":  # its proxy takes the address of the palette out
        assert "rendered by: the archive, because this program could not: RedPaletteColor" in text
    else:
        assert "rendered by: this program" in text
    assert (picture.ndim == 3) == (one.PhotometricInterpretation not in ("MONOCHROME2", "MONOCHROME1"))


async def test_a_series_alone_shows_its_middle_slice(connect: Any) -> None:
    slices = []
    for number, z in enumerate([30.0, 10.0, 20.0, 50.0, 40.0]):
        one = dataset("CT_small.dcm")
        one.InstanceNumber = number + 1
        one.ImagePositionPatient = [0, 0, z]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{int(z)}"
        one.RescaleSlope, one.RescaleIntercept = 1, 0
        one.PixelData = np.full((128, 128), int(z), np.int16).tobytes()  # each slice is as bright as it is high
        slices.append(one)
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        for wanted, uid, how in [
            ({}, "1.2.3.30", "3 of 5 in geometric order, at 30.00 mm along the normal (the middle one)"),
            ({"slice": 1}, "1.2.3.10", "1 of 5 in geometric order, at 10.00 mm"),
            ({"slice": "last"}, "1.2.3.50", "5 of 5 in geometric order, at 50.00 mm"),
            ({"slice": "2"}, "1.2.3.20", "2 of 5"),
        ]:
            uid_of_series = slices[0].SeriesInstanceUID
            result = await call(client, "render_frame", series_uid=uid_of_series, window="0..255", **wanted)
            text = text_of(result)
            assert f"SOPInstanceUID: {uid}" in text
            assert f"slice: {how}" in text
            assert np.all(shown(result) == int(uid.rpartition(".")[2])), "the picture is that slice's"
        uid = slices[0].SeriesInstanceUID
        assert "give 1 to 5" in await refusal(client, "render_frame", series_uid=uid, slice=6)
        assert "has 5 instances" in await refusal(client, "render_frame", series_uid=uid, frame=1)
        assert "not both" in await refusal(client, "render_frame", series_uid=uid, frame=1, slice=1)


async def test_a_stack_and_a_position_in_it(connect: Any) -> None:
    """Each image is as bright as its echo is late and its place is high."""
    slices = []
    for te, z in [(te, z) for te in (100, 200) for z in (10, 20, 30)]:
        one = dataset("MR_small.dcm")
        one.EchoTime, one.ImagePositionPatient, one.ImageOrientationPatient = te, [0, 0, z], [1, 0, 0, 0, 1, 0]
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.{te + z}"
        one.PixelData = np.full((64, 64), te + z, np.int16).tobytes()
        slices.append(one)
    uid = slices[0].SeriesInstanceUID
    async with connect(pacs=(Google(Store(*slices)), "google")) as client:
        for wanted, level, says in [
            ({"stack": "EchoTime=200", "position_mm": 21}, 220, "2 of 3 in geometric order of stack 2 of 2 (axial, "),
            ({"stack": 1, "slice": "last"}, 130, "3 of 3 in geometric order of stack 1 of 2 (axial, EchoTime=100), "),
            ({"stack": "2", "position_mm": "9.5"}, 210, "0.50 mm from the position asked for"),
        ]:
            result = await call(client, "render_frame", series_uid=uid, window="0..255", **wanted)
            assert says in text_of(result)
            assert np.all(shown(result) == level)
        text = text_of(await call(client, "render_frame", series_uid=uid))
        assert 'note: Choose one of its stacks by number or by words (such as stack="EchoTime=100")' in text
        says = await refusal(client, "render_frame", series_uid=uid, stack="coronal")
        assert "There is no stack coronal: this series has 2 stacks: 1 (axial, EchoTime=100; 3 images" in says
        assert "lie at 10.00 to 30.00 mm" in await refusal(client, "render_frame", series_uid=uid, position_mm=36)
        assert "not both" in await refusal(client, "render_frame", series_uid=uid, position_mm=10, slice=1)


async def test_frames_of_a_multi_frame_instance(connect: Any) -> None:
    cine = dataset("examples_ybr_color.dcm")
    truth = pixel_array(cine)
    async with connect(pacs=(Google(Store(cine)), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=cine.SOPInstanceUID))
        assert "frame: 15 of 30, the middle one" in text
        text = text_of(await call(client, "render_frame", series_uid=cine.SeriesInstanceUID, slice=30))
        assert "frame: 30 of 30" in text
        assert "slice:" not in text, "frames of a cine are no slices"
        for number in (1, 15, 30):
            result = await call(client, "render_frame", instance_uid=cine.SOPInstanceUID, frame=number)
            distance = [np.abs(shown(result).astype(int) - frame.astype(int)).mean() for frame in truth]
            assert int(np.argmin(distance)) == number - 1
            assert min(distance) < 1
        says = await refusal(client, "render_frame", instance_uid=cine.SOPInstanceUID, frame=31)
        assert "There is no frame 31: this instance has frames 1 to 30" in says


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"window": "lung"}, "preset lung (-600/1500)"),
        ({"window": "40,400"}, "40/400"),
        ({"window": "-100..300"}, "range -100..300"),
        ({"window": "40,400", "region": [10, 20, 50, 40]}, "region: x 10, y 20, 50 x 40 pixels"),
        ({"format": "jpeg"}, "256 x 256 pixels, jpeg"),
        ({"size": 64}, "64 x 64 pixels, png"),
    ],
)
async def test_how_it_is_shown_is_said(connect: Any, arguments: dict[str, Any], says: str) -> None:
    async with connect(pacs=(Google(Store.shipped("CT_small.dcm")), "google")) as client:
        result = await call(client, "render_frame", instance_uid=dataset("CT_small.dcm").SOPInstanceUID, **arguments)
    assert not result.is_error, text_of(result)
    assert says in text_of(result)
    assert "HU" in text_of(result)


async def test_the_ends_of_a_window_are_said(connect: Any) -> None:
    uid = dataset("CT_small.dcm").SOPInstanceUID
    async with connect(pacs=(Google(Store.shipped("CT_small.dcm")), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=uid, window="brain"))
    assert "window: preset brain (40/80): 0 is black, 79 is white" in text
    ct = dataset("CT_small.dcm")
    assert f"pixel values: -896 to 1167, mean {apply_modality_lut(pixel_array(ct), ct).mean():g} HU" in text


async def test_where_the_picture_lies_and_how_large_its_pixels_are(connect: Any) -> None:
    """CT_small is axial, with 128 x 128 pixels of 0.661468 mm; it is enlarged twice."""
    uid = dataset("CT_small.dcm").SOPInstanceUID
    async with connect(pacs=(Google(Store.shipped("CT_small.dcm")), "google")) as client:
        whole = text_of(await call(client, "render_frame", instance_uid=uid))
        part = text_of(await call(client, "render_frame", instance_uid=uid, region=[10, 20, 40, 20], size=80))
    assert "edges: left R, right L, top A, bottom P\n" in whole
    assert "native size: 128 x 128 pixels (columns x rows), each 0.6615 mm\n" in whole
    assert "scale: native x = 0.5 * picture x, native y = 0.5 * picture y\n" in whole
    assert "scale: native x = 10 + 0.5 * picture x, native y = 20 + 0.5 * picture y\n" in part


async def test_a_picture_as_large_as_its_frame_needs_no_scale(connect: Any) -> None:
    one = dataset("examples_overlay.dcm")
    async with connect(pacs=(Google(Store.shipped(*NAMES)), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID))
    assert "scale:" not in text


async def test_values_are_read_and_not_guessed_from_grey(connect: Any) -> None:
    ct = dataset("CT_small.dcm")
    real = apply_modality_lut(pixel_array(ct), ct)
    part = real[20:36, 10:40]
    asked: dict[str, Any] = {"probe": [[0, 0], [100, 64]], "statistics": [10, 20, 30, 16]}
    async with connect(pacs=(Google(Store.shipped("CT_small.dcm")), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=ct.SOPInstanceUID, **asked))
    assert f"probe: [0, 0] {real[0, 0]:.0f} HU; [100, 64] {real[64, 100]:.0f} HU\n" in text
    assert (
        f"statistics: minimum {part.min():.0f}, mean {part.mean():.7g}, maximum {part.max():.0f}, standard deviation "
        f"{part.std():.7g} HU, of 480 pixels\n" in text
    )


async def test_colour_is_told_by_channel(connect: Any) -> None:
    one = dataset("SC_rgb_rle_2frame.dcm")
    red, green, blue = pixel_array(one, index=0)[30, 10]
    asked: dict[str, Any] = {"frame": 1, "probe": [[10, 30]], "statistics": [10, 30, 1, 1]}
    async with connect(pacs=(Google(Store.shipped(*NAMES)), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID, **asked))
    assert f"probe: [10, 30] red {red}, green {green}, blue {blue}\n" in text
    assert (
        f"statistics: red minimum {red}, mean {red}, maximum {red}, standard deviation 0, of 1 pixels; green " in text
    )


@pytest.mark.parametrize("asked", [{"probe": [[0, 0]]}, {"statistics": [0, 0, 9, 9]}])
async def test_the_archives_own_picture_has_no_values(connect: Any, asked: dict[str, Any]) -> None:
    """RGB of palettes cannot be had from this server, whose own picture would be shown otherwise."""
    one = dataset("examples_palette.dcm")
    async with connect(pacs=(Google(Store.shipped(*NAMES), IDC_BASE, idc=True), "idc")) as client:
        says = await refusal(client, "render_frame", instance_uid=one.SOPInstanceUID, **asked)
    assert "RedPaletteColor" in says
    assert "as the archive renders it, leave out window, region, probe, statistics and overlay" in says


def pet(weight: str = "70") -> pydicom.Dataset:
    """128 x 128 pixels of 1,000 Bq/ml, one of 5,000; injected with 350 MBq of F-18 one half-life before the scan."""
    one, given = dataset("CT_small.dcm"), pydicom.Dataset()
    one.Modality, one.Units, one.DecayCorrection, one.PatientWeight = "PT", "BQML", "START", weight
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.128"
    one.SeriesDate = one.AcquisitionDate = "20200102"
    one.SeriesTime, one.AcquisitionTime = "114948", "115500"
    given.RadionuclideTotalDose, given.RadionuclideHalfLife = "350000000", "6588"
    given.RadiopharmaceuticalStartDateTime = "20200102100000"
    one.RadiopharmaceuticalInformationSequence = [given]
    one.RescaleSlope, one.RescaleIntercept = "2", "0"
    pixels = np.full((128, 128), 500, np.int16)
    pixels[64, 100] = 2500
    one.PixelData = pixels.tobytes()
    return one


async def test_values_of_pet_are_told_as_suv_too(connect: Any) -> None:
    """70,000 g / (350 MBq / 2) = 0.0004; the window stays in Bq/ml."""
    one = pet()
    asked: dict[str, Any] = {"probe": [[100, 64]], "statistics": [100, 64, 1, 1], "window": "0..6000"}
    async with connect(pacs=(Google(Store(one)), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID, **asked))
    assert "SUV(bw): pixel value x 0.0004 g/ml, from Bq/ml, 70 kg, 350 MBq, decay over 6588 s" in text
    assert "pixel values: 1000 to 5000, mean 1000.24 Bq/ml (SUV(bw) 0.4 to 2, mean 0.4001)\n" in text
    assert "probe: [100, 64] 5000 Bq/ml (SUV(bw) 2)\n" in text
    assert "(SUV(bw) minimum 2, mean 2, maximum 2, standard deviation 0), of 1 pixels\n" in text
    assert "0 is black, 6000 is white" in text


async def test_without_a_factor_the_reason_stands_in_the_caption(connect: Any) -> None:
    one = pet(weight="0")
    async with connect(pacs=(Google(Store(one)), "google")) as client:
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID, probe=[[100, 64]]))
    assert "SUV(bw): not known: no PatientWeight (it is 0)\n" in text
    assert "probe: [100, 64] 5000 Bq/ml\n" in text


async def test_a_pixel_without_a_value_has_no_uptake(connect: Any) -> None:
    """PET in floats, as software for parametric images writes it; the values are SUV already."""
    one = pet()
    one.Units, one.BitsAllocated = "GML", 32
    values = np.full((128, 128), 1.25, np.float32)
    values[64, 100] = np.nan
    one.FloatPixelData = values.tobytes()
    del one.PixelData, one.BitsStored, one.HighBit, one.PixelRepresentation
    async with connect(pacs=(Google(Store(one)), "google")) as client:
        asked = {"instance_uid": one.SOPInstanceUID, "probe": [[100, 64], [0, 0]], "window": "0..5"}
        text = text_of(await call(client, "render_frame", **asked))
    assert "probe: [100, 64] not a number; [0, 0] 2.5 g/ml (SUV(bw) 2.5)\n" in text


async def test_a_profile_of_colours_is_fetched_and_can_be_done_without(connect: Any) -> None:
    """sRGB as the colour management of Pillow describes it: its own conversion changes next to nothing."""
    one = dataset("examples_rgb_color.dcm")
    one.ICCProfile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    one.ICCProfile += bytes(len(one.ICCProfile) % 2)
    fake = Google(Store(one))
    async with connect(pacs=(fake, "google")) as client:
        converted = await call(client, "render_frame", instance_uid=one.SOPInstanceUID, format="png")
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(404, times=10, only="/bulkdata")
        plain = await call(client, "render_frame", instance_uid=one.SOPInstanceUID, format="png")
    assert "window: none, colour converted to sRGB by the ICC profile of the file" in text_of(converted)
    assert np.abs(shown(converted).astype(int) - shown(plain).astype(int)).max() <= 2
    assert "window: none, colour as stored" in text_of(plain)
    assert "note: The file has an ICC profile that cannot be used, so its colours are shown as stored." in text_of(
        plain
    )


async def test_what_is_no_image_is_left_out_of_a_series(connect: Any) -> None:
    """A CT and a report in one series, as careless software stores them."""
    ct, report = dataset("CT_small.dcm"), dataset("test-SR.dcm")
    report.StudyInstanceUID, report.SeriesInstanceUID = ct.StudyInstanceUID, ct.SeriesInstanceUID
    async with connect(pacs=(Google(Store(ct, report)), "google")) as client:
        text = text_of(await call(client, "render_frame", series_uid=ct.SeriesInstanceUID))
    assert f"SOPInstanceUID: {ct.SOPInstanceUID}" in text
    assert "1 of the 2 objects of this series are no images" in text


async def test_colours_that_the_archive_may_have_converted_are_not_converted_again(connect: Any) -> None:
    """The archive decodes the YBR frame itself; whether it is RGB then, nobody says: its own picture is shown."""
    one = dataset("SC_rgb_dcmtk_+eb+cy+np.dcm")
    fake = Google(Store(one))
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(406, only="/frames/1")
        text = text_of(await call(client, "render_frame", instance_uid=one.SOPInstanceUID))
    assert "does not say whether its colours were converted" in text
    assert "rendered by: the archive" in text


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("CT_small.dcm", {"window": "purple"}, "neither a preset nor a window of this file"),
        ("CT_small.dcm", {"window": "40,0"}, "width"),
        ("CT_small.dcm", {"region": [0, 0, 1000, 10]}, "is not within the frame"),
        ("CT_small.dcm", {"region": [0, 0, 10]}, "region has 3 numbers"),
        ("CT_small.dcm", {"probe": [[0, 128]]}, "y from 0 to 127"),
        ("CT_small.dcm", {"statistics": [120, 0, 10, 10]}, "x from 0 to 127"),
        ("CT_small.dcm", {"statistics": [0, 0, 10]}, "statistics has 3 numbers"),
        ("CT_small.dcm", {"probe": [[1, 2, 3]]}, "probe takes points [[x, y], ...]"),
        ("CT_small.dcm", {"probe": [[1, 2]] * 21}, "20"),
        ("MR_small_bigendian.dcm", {"window": "lung"}, "lung"),
        ("examples_palette.dcm", {"window": "40,400"}, "colour"),
        ("test-SR.dcm", {}, "(Comprehensive SR Storage) has no pixels to show: describe_object reads it."),
    ],
)
@IN_BOTH_ERAS
async def test_what_cannot_be_shown_says_why(connect: Any, name: str, arguments: dict[str, Any], says: str) -> None:
    async with connect(pacs=(Google(Store.shipped(*NAMES)), "google")) as client:
        text = await refusal(client, "render_frame", instance_uid=dataset(name).SOPInstanceUID, **arguments)
    assert says in text


async def test_the_archives_own_picture_is_the_last_resort_and_says_so(connect: Any) -> None:
    ct = dataset("CT_small.dcm")
    fake = Google(Store(ct))
    uid = ct.SOPInstanceUID
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(406, times=10, only="/frames/1")
        says = await refusal(client, "render_frame", instance_uid=uid, window="40,400")
        assert "406" in says
    fake = Google(Store(ct))
    async with connect(pacs=(fake, "google")) as client:
        fake.fail(406, times=2, only="/frames/1")
        result = await call(client, "render_frame", instance_uid=uid)
    assert "rendered by: the archive, because this program could not" in text_of(result)
    assert "brightness says nothing about values" in text_of(result)
    assert "values shown" not in text_of(result)
    assert shown(result).shape[:2] == (256, 256)


async def test_a_frame_that_is_not_what_its_header_says_is_not_shown_as_it(connect: Any) -> None:
    """Half a frame of native pixels: refused by its length, then rendered by the archive, and said."""
    ct = dataset("CT_small.dcm")
    ct.PixelData = ct.PixelData[: len(ct.PixelData) // 2]
    async with connect(pacs=(Dcm4chee(Store(ct)), "dcm4chee")) as client:
        result = await call(client, "render_frame", instance_uid=ct.SOPInstanceUID, window="40,400")
    assert result.is_error
    assert "bytes" in text_of(result)


@pytest.mark.parametrize("format", ["auto", "png", "jpeg"])
async def test_pictures_keep_their_budget(connect: Any, format: str) -> None:
    rng = np.random.default_rng(1)
    noise = dataset("CT_small.dcm")
    noise.Rows = noise.Columns = 1600
    noise.PixelData = rng.integers(0, 2000, 1600 * 1600, dtype=np.uint16).tobytes()
    async with connect(pacs=(Google(Store(noise)), "google")) as client:
        result = await call(client, "render_frame", instance_uid=noise.SOPInstanceUID, size=1568, format=format)
    data = base64.b64decode(image_of(result).data)
    assert len(data) <= 900_000
    assert max(Image.open(io.BytesIO(data)).size) <= 1568


async def test_the_metadata_of_another_instance_is_not_believed(connect: Any) -> None:
    ct, other = dataset("CT_small.dcm"), dataset("MR_small_bigendian.dcm")
    fake = Google(Store(ct))

    def wrong(asked: Any) -> Any:
        import httpx

        return httpx.Response(200, json=[other.to_json_dict(suppress_invalid_tags=True)])

    async with connect(pacs=(fake, "google")) as client:
        await answer(client, "list_instances")
        fake.fail(wrong, only="/metadata")
        assert "metadata of another object" in await refusal(client, "render_frame", instance_uid=ct.SOPInstanceUID)


async def test_overlay_graphics_that_are_not_drawn_are_told(connect: Any) -> None:
    for name, told in (("examples_overlay.dcm", True), ("CT_small.dcm", False)):
        async with connect(pacs=(Google(Store.shipped(*NAMES)), "google")) as client:
            result = await call(client, "render_frame", instance_uid=dataset(name).SOPInstanceUID)
        assert ("overlay graphics (such as marks or outlines), which are not drawn here" in text_of(result)) is told


@pytest.mark.parametrize("tool", ["render_frame", "preview_series"])
async def test_idc_has_viewers_of_its_own(connect: Any, tool: str) -> None:
    ct = dataset("CT_small.dcm")
    link = (
        "viewer: https://viewer.imaging.datacommons.cancer.gov/v3/viewer/"
        f"?StudyInstanceUIDs={ct.StudyInstanceUID}&initialSeriesInstanceUID={ct.SeriesInstanceUID}"
    )
    idc, pacs = Google(Store(ct), IDC_BASE, idc=True), Google(Store(ct))
    async with connect(idc=(idc, "idc"), pacs=(pacs, "google")) as client:
        said = text_of(await call(client, tool, archive="idc", series_uid=ct.SeriesInstanceUID)).splitlines()
        assert link in said
        assert "viewer" not in text_of(await call(client, tool, archive="pacs", series_uid=ct.SeriesInstanceUID))


@pytest.mark.parametrize("tool", ["render_frame", "preview_series"])
async def test_what_is_not_decoded_here_is_decoded_by_the_archive(
    connect: Any, tool: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than left to a window of the archive's own: nothing but who decoded it is different."""
    ct = dataset("693_J2KI.dcm")
    asked = {"series_uid": ct.SeriesInstanceUID, "format": "png"}
    async with connect(pacs=(Google(Store.shipped("693_J2KI.dcm")), "google")) as client:
        here = await call(client, tool, **asked)
    monkeypatch.delitem(DECODERS, ct.file_meta.TransferSyntaxUID)
    async with connect(pacs=(Google(Store.shipped("693_J2KI.dcm")), "google")) as client:
        there = await call(client, tool, **asked)
    assert (shown(there) == shown(here)).all()
    assert "the archive decoded" not in text_of(here)
    assert "as the archive decoded it" in text_of(there) or "the archive decoded some of the frames" in text_of(there)
    assert "Explicit VR Little Endian" in text_of(there)


async def test_what_nobody_decodes_is_still_explained(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ct = dataset("693_J2KI.dcm")
    fake = Google(Store.shipped("693_J2KI.dcm"))
    monkeypatch.delitem(DECODERS, ct.file_meta.TransferSyntaxUID)
    fake.fail(406, only="/frames/", times=10)
    async with connect(pacs=(fake, "google")) as client:
        said = await refusal(client, "render_frame", series_uid=ct.SeriesInstanceUID, window="lung")
    assert "Archive pacs" in said
