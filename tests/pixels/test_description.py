import pytest

from dicomweb_mcp.pixels.description import PixelDescription
from dicomweb_mcp.pixels.problems import TooLarge, Undecodable

LITTLE = "1.2.840.10008.1.2.1"


def test_a_plain_image(make):
    found = PixelDescription.of(make(Rows=3, Columns=5, BitsStored=12, HighBit=11, PixelRepresentation=1), LITTLE)
    assert (found.rows, found.columns, found.bits_stored, found.high_bit) == (3, 5, 12, 11)
    assert found.is_signed
    assert found.kind == "integer"
    assert found.number_of_frames == 1
    assert found.frame_bytes == 30


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"BitsAllocated": 8, "BitsStored": 8}, 15),
        ({"BitsAllocated": 1, "BitsStored": 1}, 2),
        ({"BitsAllocated": 32, "BitsStored": 32}, 60),
        ({"BitsAllocated": 8, "BitsStored": 8, "SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, 45),
        (
            {"BitsAllocated": 8, "BitsStored": 8, "SamplesPerPixel": 3, "PhotometricInterpretation": "YBR_FULL_422"},
            30,
        ),
    ],
)
def test_the_length_of_an_uncompressed_frame(make, attributes, expected):
    assert PixelDescription.of(make(Rows=3, Columns=5, **attributes), LITTLE).frame_bytes == expected


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"Rows": None}, "no Rows"),
        ({"Columns": None}, "no Rows or no Columns"),
        ({"Rows": 0}, "must be 1 or more"),
        ({"Columns": -4}, "must be 1 or more"),
        ({"BitsAllocated": 12}, "BitsAllocated 12"),
        ({"BitsAllocated": None}, "BitsAllocated None"),
        ({"BitsStored": 17}, "BitsStored 17"),
        ({"BitsStored": 0}, "BitsStored 0"),
        ({"BitsStored": 12, "HighBit": 10}, "HighBit 10"),
        ({"BitsStored": 12, "HighBit": 16}, "HighBit 16"),
        ({"PhotometricInterpretation": None}, "PhotometricInterpretation is missing"),
        ({"PhotometricInterpretation": "CMYK"}, "CMYK is not supported"),
        ({"PhotometricInterpretation": "RGB"}, "SamplesPerPixel 1 contradicts"),
        ({"SamplesPerPixel": 3}, "SamplesPerPixel 3 contradicts"),
        ({"FloatPixelData": {"vr": "OF"}}, "contradicts float"),
    ],
)
def test_nonsense_is_refused_with_its_reason(make, attributes, message):
    with pytest.raises(Undecodable, match=message):
        PixelDescription.of(make(**attributes), LITTLE)


def test_the_limit_is_100_megapixels(make):
    assert PixelDescription.of(make(Rows=10_000, Columns=10_000), LITTLE).rows == 10_000
    with pytest.raises(TooLarge, match="100 megapixels"):
        PixelDescription.of(make(Rows=10_000, Columns=10_001), LITTLE)


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"FloatPixelData": {"vr": "OF", "BulkDataURI": "x"}, "BitsAllocated": 32}, "float"),
        ({"DoubleFloatPixelData": {"vr": "OD", "BulkDataURI": "x"}, "BitsAllocated": 64}, "double"),
        ({"BitsAllocated": 32}, "float"),
        ({"BitsAllocated": 64}, "double"),
        ({"BitsAllocated": 32, "PixelData": {"vr": "OW", "BulkDataURI": "x"}}, "integer"),
    ],
)
def test_floating_point_pixels_are_recognised(make, attributes, kind):
    found = PixelDescription.of(make(**{"BitsStored": None, "PixelRepresentation": None} | attributes), LITTLE)
    assert found.kind == kind
