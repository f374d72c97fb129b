"""What frames will cost: those that have to come and whose size is known, by hand."""

from typing import Any

import pytest

from dicomweb_mcp.archives.base import Place
from dicomweb_mcp.archives.memory import Memory
from dicomweb_mcp.archives.remembering import RememberingArchive
from dicomweb_mcp.services.costs import expected_bytes
from fakes.google import Google
from fakes.store import Store
from support import open_over

pytestmark = pytest.mark.anyio

SERIES = Place("1.2", "1.2.3")
NATIVE, JPEG_2000, RLE = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.5"


def image(*syntaxes: str, rows: int = 100, columns: int = 50, bits: int = 16, samples: int = 1) -> dict[str, Any]:
    numbers = {"00280010": rows, "00280011": columns, "00280100": bits, "00280101": bits, "00280102": bits - 1,
               "00280002": samples}  # fmt: skip
    photometric = "RGB" if samples == 3 else "MONOCHROME2"
    found = {tag: {"vr": "US", "Value": [value]} for tag, value in numbers.items()}
    found["00280004"] = {"vr": "CS", "Value": [photometric]}
    if syntaxes:
        found["00083002"] = {"vr": "UI", "Value": list(syntaxes)}
    return found


@pytest.mark.parametrize(
    ("obj", "size"),
    [
        (image(NATIVE), 10_000),
        (image(), 10_000),
        (image(bits=8, samples=3), 15_000),
        (image(bits=1), 625),
        (image(JPEG_2000), 0),
        (image(NATIVE, RLE), 0),
        (image(rows=0), 0),
        ({}, 0),
    ],
)
def test_native_pixels_count_in_full_and_what_is_not_known_counts_nothing(obj: dict[str, Any], size: int) -> None:
    archive = open_over(Google(Store.synthetic(studies=1)), "idc")
    assert expected_bytes(archive, SERIES, [("1.2.3.4", obj, [1, 2, 3])]) == 3 * size
    assert expected_bytes(archive, SERIES, [("1.2.3.4", obj, [1]), ("1.2.3.5", image(), [1])]) == size + 10_000


async def test_frames_that_are_remembered_cost_nothing() -> None:
    store = Store.shipped("CT_small.dcm")
    (row,) = store.rows("instance")
    archive = RememberingArchive(open_over(Google(store), "google"), Memory(60))
    series = Place(row.study, row.series)
    wanted = [(row.instance, image(NATIVE), [1, 2])]
    assert expected_bytes(archive, series, wanted) == 20_000
    await archive.frames(Place(row.study, row.series, row.instance), [1])
    assert expected_bytes(archive, series, wanted) == 10_000
