"""The multipart reader against the email package, in any chunks, and cut at any byte."""

import email
import email.policy
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from email.message import Message

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dicomweb_mcp.archives.multipart import LONGEST_HEADERS, BadMultipart, parts

pytestmark = pytest.mark.anyio

BCHARS = "0aZ'()+_,-./:=? ;"  # a sample of RFC 2046's, and a semicolon, which some use
BOUNDARIES = st.text(BCHARS, min_size=1, max_size=20).filter(lambda text: text == text.strip() and text[0] not in "'<")
QUOTES = st.sampled_from(['"{}"', '"{}"; type="application/dicom"', '"{}" ; start="<1>"'])
Parts = list[tuple[dict[str, str], bytes]]


def header_of(boundary: str, quotes: str = '"{}"') -> str:
    return f"multipart/related; boundary={quotes.format(boundary)}"


def body_of(boundary: str, bodies: Sequence[bytes], preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    delimiter = b"--" + boundary.encode()
    pieces = [preamble + b"\r\n" if preamble else b""]
    for number, body in enumerate(bodies):
        pieces.append(
            delimiter + b"\r\nContent-Type: application/dicom\r\nX-Part: %d\r\n\r\n" % number + body + b"\r\n"
        )
    return b"".join(pieces) + delimiter + b"--" + epilogue


async def read(content_type: str, chunks: Sequence[bytes]) -> Parts:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [
        (dict(part.headers), b"".join([chunk async for chunk in part.chunks]))
        async for part in parts(content_type, arriving())
    ]


async def outcome(content_type: str, chunks: Sequence[bytes]) -> Parts | str:
    try:
        return await read(content_type, chunks)
    except BadMultipart as problem:
        return str(problem)


def lookalikes(boundary: str) -> st.SearchStrategy[bytes]:
    """Bytes that nearly are a delimiter, and pieces of one."""
    line = f"\r\n--{boundary}".encode()
    whole = [
        line + b"x",
        line + b"-",
        line + b" x\r\n",
        line[2:],
        b"\n" + line[2:],
        b"\r" + line[2:],
        line[:-1] + b"\r\n",
    ]
    return st.sampled_from([*whole, b"\r\n--", b"\r\n", b"\r", b"--", b"\r\r\n--"])


def holds_a_delimiter(body: bytes, boundary: str) -> bool:
    """CRLF, the boundary, and then ``--`` or blanks and a line end: no sender may put that into a part."""
    delimiter = rb"\r\n--" + re.escape(boundary.encode()) + rb"(--|[ \t]*\r\n)"
    return re.search(delimiter, b"\r\n" + body + b"\r\n") is not None


@st.composite
def messages(draw: st.DrawFn) -> tuple[str, str, list[bytes], bytes]:
    """A Content-Type, its boundary, the bodies and the bytes that carry them."""
    boundary = draw(BOUNDARIES)
    piece = st.one_of(st.binary(max_size=20), lookalikes(boundary))
    bodies = draw(st.lists(st.lists(piece, max_size=5).map(b"".join), min_size=1, max_size=4))
    assume(not any(holds_a_delimiter(body, boundary) for body in bodies))
    preamble = draw(st.sampled_from([b"", b"ignored", b"--", b"\r\n"]))
    epilogue = draw(st.sampled_from([b"", b"\r\n", b"\r\nignored", f"\r\n--{boundary}\r\n\r\nx".encode()]))
    return header_of(boundary, draw(QUOTES)), boundary, bodies, body_of(boundary, bodies, preamble, epilogue)


CUTS = st.lists(st.integers(0, 1_000), max_size=12)


def pieces(whole: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted(cut % (len(whole) + 1) for cut in cuts)
    return [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


@given(messages(), CUTS)
async def test_what_was_put_in_comes_out_in_any_chunks(
    message: tuple[str, str, list[bytes], bytes], cuts: list[int]
) -> None:
    content_type, _, bodies, whole = message
    for chunks in ([whole], pieces(whole, cuts), [whole[n : n + 1] for n in range(len(whole))]):
        found = await read(content_type, chunks)
        assert [body for _, body in found] == bodies
        assert [headers["x-part"] for headers, _ in found] == [str(number) for number in range(len(bodies))]


@given(messages())
async def test_a_body_cut_at_any_byte_is_never_complete(message: tuple[str, str, list[bytes], bytes]) -> None:
    content_type, boundary, bodies, _ = message
    whole = body_of(boundary, bodies)
    for end in range(len(whole)):
        with pytest.raises(BadMultipart):
            await read(content_type, [whole[:end]])


@given(st.binary(max_size=200), st.text("ab", min_size=1, max_size=2), CUTS)
async def test_any_bytes_mean_the_same_in_any_chunks(junk: bytes, boundary: str, cuts: list[int]) -> None:
    whole = junk.replace(b"\x00", f"\r\n--{boundary}".encode()).replace(b"\x01", b"\r\n\r\n")
    assert await outcome(header_of(boundary), pieces(whole, cuts)) == await outcome(header_of(boundary), [whole])


@pytest.mark.parametrize("lines", [b"x: y\r\n" * (LONGEST_HEADERS // 6 + 100), b" " * (LONGEST_HEADERS + 100)])
@pytest.mark.parametrize("cut", [LONGEST_HEADERS - 50, LONGEST_HEADERS + 50])
async def test_headers_too_long_mean_the_same_in_any_chunks(lines: bytes, cut: int) -> None:
    whole = b"--a\r\n" + lines + b"\r\n\r\n\r\n--a--"
    expected = "a part's headers do not end"
    assert await outcome(header_of("a"), [whole]) == expected
    assert await outcome(header_of("a"), [whole[:cut], whole[cut:]]) == expected


# ---- as the email package reads it -------------------------------------------------------------------------------------


def by_email(content_type: str, body: bytes) -> list[Message]:
    whole = f"Content-Type: {content_type}\r\n\r\n".encode() + body
    found = email.message_from_bytes(whole, policy=email.policy.compat32.clone(linesep="\r\n")).get_payload()
    assert isinstance(found, list)
    return found


@given(
    BOUNDARIES, QUOTES, st.lists(st.binary(max_size=40), min_size=1, max_size=4), st.sampled_from([b"", b"preamble"])
)
async def test_the_email_package_finds_the_same_parts(
    boundary: str, quotes: str, bodies: list[bytes], preamble: bytes
) -> None:
    whole = body_of(boundary, bodies, preamble, b"\r\n")
    assume(not any(b"--" in body for body in bodies))
    content_type = header_of(boundary, quotes)
    theirs = by_email(content_type, whole)
    ours = await read(content_type, [whole])
    assert [body for _, body in ours] == [part.get_payload(decode=True) for part in theirs] == bodies
    assert [headers["x-part"] for headers, _ in ours] == [part["X-Part"] for part in theirs]


NAMES = st.sampled_from(["Content-Type", "content-location", "X-Part", "MIME-Version", "Content-ID"])
VALUES = st.lists(st.text('ab:;=/*"1.', min_size=1, max_size=8), min_size=1, max_size=3)


@given(st.dictionaries(NAMES, VALUES, max_size=4), st.sampled_from([" ", "\r\n ", "\r\n\t"]))
async def test_headers_of_parts_folded_or_not(headers: Mapping[str, list[str]], fold: str) -> None:
    """RFC 5322 2.2.3: a line that begins with a blank goes on with the header before it."""
    lines = "".join(f"{name}: {fold.join(words)}\r\n" for name, words in headers.items())
    whole = f"--b\r\n{lines}\r\nabc\r\n--b--\r\n".encode()
    ((ours, body),) = await read(header_of("b"), [whole])
    (theirs,) = by_email(header_of("b"), whole)
    assert body == b"abc"
    assert {name: value.split() for name, value in ours.items()} == {
        name.lower(): str(value).split() for name, value in theirs.items()
    }


@given(st.text("ab1-_", min_size=1, max_size=12), st.binary(max_size=40), st.booleans(), CUTS)
async def test_single_quotes_are_quotes_or_part_of_the_boundary(
    word: str, body: bytes, meant: bool, cuts: list[int]
) -> None:
    """RFC 2045 has no single quotes, so they belong to the boundary; some servers quote with them all the same."""
    whole = body_of(word if meant else f"'{word}'", [body])
    assume(b"--" not in body)
    assert [found for _, found in await read(f"multipart/related; boundary='{word}'", pieces(whole, cuts))] == [body]
