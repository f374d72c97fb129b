"""The body of a request that stores: its bytes, its length, and that it is never held in memory."""

import json
import tracemalloc
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit

from archives.folder_helpers import make_file
from dicomweb_mcp.archives.part10.outgoing import CHUNK, checked
from dicomweb_mcp.archives.stow import json_body, store_body
from dicomweb_mcp.archives.wire import Body
from dicomweb_mcp.paths import Changed

pytestmark = pytest.mark.anyio


async def whole(body: Body) -> bytes:
    return b"".join([chunk async for chunk in body.chunks()])


async def test_the_standard_library_reads_the_parts(tmp_path: Path) -> None:
    paths = [make_file(tmp_path.resolve() / f"{n}.dcm", "1.2", "1.2.3", f"1.2.3.{n}") for n in range(3)]
    body = store_body([checked(path) for path in paths])
    data = await whole(body)
    assert len(data) == body.length
    assert await whole(body) == data, "it can be read again"
    message = message_from_bytes(f"Content-Type: {body.content_type}\r\n\r\n".encode() + data, policy=policy.HTTP)
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["application/dicom"] * 3
    assert [part.get_payload(decode=True) for part in parts] == [path.read_bytes() for path in paths]


async def test_a_large_file_passes_through_in_pieces(tmp_path: Path) -> None:
    path = make_file(tmp_path.resolve() / "big.dcm", "1.2", "1.2.3", "1.2.3.4")
    size = 200 << 20
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + size.to_bytes(4, "little"))
        file.truncate(file.tell() + size)
    body = store_body([checked(path)])
    tracemalloc.start()
    sent = 0
    async for chunk in body.chunks():
        assert len(chunk) <= CHUNK
        sent += len(chunk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sent == body.length > size
    assert peak < 8 << 20


async def test_metadata_and_values_are_read_anew_for_every_try(tmp_path: Path) -> None:
    path = tmp_path.resolve() / "picture.dcm"
    make_file(path, "1.2", "1.2.3", "1.2.3.4", Rows=2, Columns=3, ICCProfile=bytes(range(256)) * 5)
    pixels = bytes(range(200)) * 10_000
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + len(pixels).to_bytes(4, "little") + pixels)
    body = json_body([checked(path)])
    data = await whole(body)
    assert len(data) == body.length
    assert await whole(body) == data
    head = f"Content-Type: {body.content_type}\r\n\r\n".encode()
    first, second = message_from_bytes(head + data, policy=policy.HTTP).iter_parts()
    (obj,) = json.loads(first.get_payload(decode=True))
    expected = json.loads(dcmread(path).to_json(bulk_data_threshold=1 << 30))
    expected["7FE00010"] = {"vr": "OW", "BulkDataURI": second["Content-Location"]}
    del obj["00020010"]
    assert obj == expected
    assert second.get_content_type() == "application/octet-stream"
    assert second.get_payload(decode=True) == pixels
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(Changed):
        await whole(body)


def test_a_picture_in_several_pieces_is_not_sent_in_part(tmp_path: Path) -> None:
    dataset = dcmread(make_file(tmp_path.resolve() / "x.dcm", "1.2", "1.2.3", "1.2.3.4"))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.add_new(0x7FE00010, "OB", encapsulate([bytes(200)], fragments_per_frame=2))
    dataset.save_as(tmp_path / "y.dcm", enforce_file_format=True)
    with pytest.raises(Changed):
        json_body([checked(tmp_path.resolve() / "y.dcm")])


async def test_a_file_that_is_cut_while_it_is_sent_ends_the_request(tmp_path: Path) -> None:
    path = make_file(tmp_path.resolve() / "x.dcm", "1.2", "1.2.3", "1.2.3.4")
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + (3 * CHUNK).to_bytes(4, "little") + bytes(3 * CHUNK))
    body = store_body([checked(path)])

    async def send() -> None:
        async for _ in body.chunks():
            with path.open("r+b") as file:
                file.truncate(CHUNK)

    with pytest.raises(Changed):
        await send()
