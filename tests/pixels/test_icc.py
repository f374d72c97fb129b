"""ICC profiles made by hand, whose conversion to sRGB is known: linear light, and primaries in another order."""

import base64
import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from dicomweb_mcp.pixels.problems import MissingBulk
from dicomweb_mcp.pixels.render import render_frame

LITTLE = "1.2.840.10008.1.2.1"
PRIMARIES = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""Red, green and blue of sRGB as XYZ under D50 (the tags of any sRGB profile)."""
PIXELS = np.asarray([[0, 0, 0], [255, 255, 255], [55, 55, 55], [128, 128, 128], [255, 0, 0], [10, 200, 90]], np.uint8)


def profile(primaries=PRIMARIES, gamma=1.0) -> bytes:
    """A display profile of version 2.4: three primaries and a gamma (ICC.1:2001-04, 6.3.1.2)."""

    def xyz(values):
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    named = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"hand\0" + bytes(78)
    named += bytes(-len(named) % 4)
    tags = {
        b"desc": named, b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": xyz((0.9642, 1, 0.8249)),
        **{name: xyz(value) for name, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)},
        b"rTRC": curve, b"gTRC": curve, b"bTRC": curve,
    }  # fmt: skip
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    illuminant = xyz((0.9642, 1, 0.8249))[8:]
    head = struct.pack(">I4sI", 132 + 12 * len(tags) + len(body), bytes(4), 0x02400000) + b"mntrRGB XYZ " + bytes(12)
    head += b"acsp" + bytes(28) + illuminant + bytes(48)
    assert len(head) == 128
    return head + table + body


def colour(make, **more):
    return make(
        Rows=1, Columns=6, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0,
        BitsAllocated=8, BitsStored=8, **more,
    )  # fmt: skip


def element(data: bytes) -> dict[str, str]:
    return {"vr": "OB", "InlineBinary": base64.b64encode(data).decode()}


def shown(obj, **options):
    rendered = render_frame(PIXELS.tobytes(), obj, transfer_syntax=LITTLE, format="png", **options)
    picture = np.asarray(Image.open(BytesIO(rendered.picture.data)))
    factor = picture.shape[1] // rendered.region[2]
    return rendered, picture[0, ::factor].astype(int)


def srgb_of_linear(pixels):
    """IEC 61966-2-1."""
    light = pixels / 255
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def test_linear_light_becomes_srgb(make):
    rendered, picture = shown(colour(make, ICCProfile=element(profile())))
    assert np.abs(picture - srgb_of_linear(PIXELS)).max() <= 2
    assert rendered.colours == "converted to sRGB by the ICC profile of the file"
    assert rendered.notes == ()


def test_values_at_points_are_those_of_the_file(make):
    rendered, picture = shown(colour(make, ICCProfile=element(profile())), probe=[(5, 0)], region=(2, 0, 4, 1))
    assert rendered.samples[0].values == (10, 200, 90)
    assert np.abs(picture - srgb_of_linear(PIXELS[2:])).max() <= 2


@pytest.mark.parametrize(
    ("paths", "is_converted"),
    [
        ([("1", True)], True),
        ([("1", False), ("2", True)], True),
        ([("2", False), ("1", True)], False),
        ([("1", False)], False),
    ],
)
def test_the_profile_of_the_optical_path(make, paths, is_converted):
    """Primaries in another order: red and blue change places."""
    swapped = element(profile(PRIMARIES[::-1]))
    sequence = [{"OpticalPathIdentifier": name} | ({"ICCProfile": swapped} if has else {}) for name, has in paths]
    rendered, picture = shown(
        colour(make, OpticalPathSequence=sequence, OpticalPathIdentificationSequence=[{"OpticalPathIdentifier": "2"}])
    )
    if is_converted:
        assert np.abs(picture - srgb_of_linear(PIXELS[:, ::-1])).max() <= 2
    else:
        np.testing.assert_array_equal(picture, PIXELS)
        assert rendered.colours == "as stored"


@pytest.mark.parametrize(
    "damaged",
    [b"", b"x", profile()[:100], profile()[:200], bytes(4000), profile().replace(b"mntrRGB ", b"mntrGRAY")],
    ids=["empty", "short", "half a header", "half", "zeros", "grey"],
)
def test_a_profile_that_cannot_be_used_is_told(make, damaged):
    rendered, picture = shown(colour(make, ICCProfile=element(damaged)))
    np.testing.assert_array_equal(picture, PIXELS)
    assert rendered.colours == "as stored"
    assert rendered.notes == ("The file has an ICC profile that cannot be used, so its colours are shown as stored.",)


def test_a_profile_that_stands_elsewhere_is_asked_for(make):
    with pytest.raises(MissingBulk, match="ICCProfile"):
        shown(colour(make, ICCProfile={"vr": "OB", "BulkDataURI": "http://x.test/profile"}))


def test_grey_pixels_have_no_profile(make):
    obj = make(Rows=1, Columns=9, ICCProfile={"vr": "OB", "BulkDataURI": "http://x.test/profile"})
    assert render_frame(bytes(18), obj, transfer_syntax=LITTLE).window is not None
