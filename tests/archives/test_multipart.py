import email
import email.policy
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.multipart import BadMultipart, MediaType, MultipartReader, PartStart, parts

pytestmark = pytest.mark.anyio

BOUNDARY = "b0undary"
TYPE = f'multipart/related; type="application/octet-stream"; boundary={BOUNDARY}'


def body_of(*bodies: bytes, preamble: bytes = b"", epilogue: bytes = b"", padding: bytes = b"") -> bytes:
    delimiter = b"--" + BOUNDARY.encode()
    built = preamble
    for position, body in enumerate(bodies):
        start = b"\r\n" if position or preamble else b""
        built += (
            start + delimiter + padding + b"\r\nContent-Type: application/octet-stream\r\nX-Part: %d\r\n\r\n" % position
        )
        built += body
    return built + b"\r\n" + delimiter + b"--" + epilogue


async def read(content_type: str, body: bytes, step: int = 7) -> list[bytes]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), step):
            yield body[start : start + step]

    return [b"".join([chunk async for chunk in part.chunks]) async for part in parts(content_type, chunks())]


async def test_bytes_are_untouched() -> None:
    tricky = [
        b"\r\n white \r\n",
        b"",
        b"\r\n--" + BOUNDARY.encode() + b"x",
        b"--" + BOUNDARY.encode(),
        b"\0" * 100,
        b"\r",
    ]
    for step in (1, 2, 3, 1000):
        assert await read(TYPE, body_of(*tricky), step) == tricky


@given(
    st.lists(
        st.one_of(st.binary(max_size=60), st.text("\r\n-b0undaryx ", max_size=30).map(str.encode)),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 50),
    st.sampled_from([b"", b"preamble", b"\r\nmore\r\n"]),
    st.sampled_from([b"", b"\r\n", b"\r\nignored"]),
    st.sampled_from([b"", b" ", b"\t "]),
)
def test_any_bytes_in_any_chunks(
    bodies: list[bytes], step: int, preamble: bytes, epilogue: bytes, padding: bytes
) -> None:
    """What was put in comes out, however it is cut; bodies that hold a true delimiter are another matter."""
    delimiter = b"\r\n--" + BOUNDARY.encode()
    if any(delimiter in b"\r\n" + body + b"\r\n" for body in bodies):
        return
    reader, found = MultipartReader(BOUNDARY), []
    whole = body_of(*bodies, preamble=preamble, epilogue=epilogue, padding=padding)
    for start in range(0, len(whole), step):
        for event in reader.feed(whole[start : start + step]):
            if isinstance(event, PartStart):
                found.append(b"")
            else:
                found[-1] += event
    reader.close()
    assert found == bodies


@given(st.lists(st.text("abc \r-", max_size=40).map(lambda text: text.replace("\r", "\r\n")), min_size=1, max_size=4))
def test_against_the_standard_library(bodies: list[str]) -> None:
    """The email package reads the same parts (it wants text, and strips nothing either)."""
    if any(f"--{BOUNDARY}" in body for body in bodies):
        return
    raw = body_of(*[body.encode() for body in bodies])
    message = email.message_from_bytes(
        f"Content-Type: {TYPE}\r\n\r\n".encode() + raw, policy=email.policy.HTTP.clone(linesep="\r\n")
    )
    theirs = [part.get_payload(decode=True) for part in message.get_payload()]
    reader, ours = MultipartReader(BOUNDARY), []
    for event in reader.feed(raw):
        if isinstance(event, PartStart):
            ours.append(b"")
        else:
            ours[-1] += event
    assert ours == [bytes(body) for body in theirs]


@pytest.mark.parametrize("cut", [1, 3, 10, 60])
async def test_a_cut_body_is_noticed(cut: int) -> None:
    with pytest.raises(BadMultipart, match="before its closing boundary"):
        await read(TYPE, body_of(b"abc", b"defg")[:-cut])


async def test_a_wrong_content_length_is_noticed() -> None:
    body = body_of(b"abc").replace(b"X-Part: 0", b"Content-Length: 4")
    with pytest.raises(BadMultipart, match="4 bytes arrived with 3"):
        await read(TYPE, body)


@pytest.mark.parametrize("declared", [b"\xb3", b"9" * 5_000, b"+3", b""])
async def test_a_content_length_that_is_none_is_not_held_against_a_part(declared: bytes) -> None:
    assert await read(TYPE, body_of(b"abc").replace(b"X-Part: 0", b"Content-Length: " + declared)) == [b"abc"]


async def test_endless_headers_are_refused() -> None:
    with pytest.raises(BadMultipart, match="headers do not end"):
        await read(TYPE, b"--" + BOUNDARY.encode() + b"\r\n" + b"x" * 100_000, 1000)


async def test_what_is_not_multipart_is_one_part() -> None:
    assert await read("application/octet-stream", b"abc") == [b"abc"]
    assert await read("multipart/related", b"abc") == [b"abc"]


@pytest.mark.parametrize(
    ("header", "boundary", "syntax"),
    [
        ('multipart/related; type="application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1"; boundary=x', "x", "1.2.840.10008.1.2.1"),
        ('multipart/related; boundary=x; transfer-syntax=1.2.3; type="application/octet-stream"', "x", "1.2.3"),
        ('multipart/related; boundary="a;b"; type="image/jpeg"', "a;b", ""),
        ("Multipart/Related; BOUNDARY=x", "x", ""),
        ("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70", "", "1.2.840.10008.1.2.4.70"),
        ("application/octet-stream; transfer-syntax=*", "", ""),
        ("", "", ""),
        ("nonsense", "", ""),
    ],
)  # fmt: skip
def test_content_types_as_servers_write_them(header: str, boundary: str, syntax: str) -> None:
    media = MediaType.parse(header)
    assert media.parameters.get("boundary", "") == boundary
    assert media.transfer_syntax == syntax


@given(st.text(max_size=80))
def test_any_content_type_can_be_parsed(header: str) -> None:
    MediaType.parse(header)
