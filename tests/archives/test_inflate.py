"""Content codings: the standard library packs, ours unpacks, however the bytes arrive."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.archives.inflate import STEP, BadCoding, Inflater


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


PACKED = [
    ("gzip", gzip.compress),
    ("deflate", zlib.compress),
    ("deflate", raw_deflate),
    ("identity", bytes),
    ("", bytes),
]


def unpacked(coding: str, packed: bytes, step: int) -> bytes:
    inflater = Inflater(coding)
    pieces = [piece for at in range(0, len(packed), step) for piece in inflater.feed(packed[at : at + step])]
    inflater.close()
    return b"".join(pieces)


@pytest.mark.parametrize(("coding", "pack"), PACKED)
@given(data=st.binary(max_size=300), step=st.integers(1, 60))
def test_what_was_packed_comes_out(coding: str, pack, data: bytes, step: int) -> None:
    assert unpacked(coding, pack(data), step) == data


@pytest.mark.parametrize(("coding", "pack"), PACKED[:3])
@pytest.mark.parametrize("size", [STEP - 1, STEP, STEP + 1, 5 * STEP + 7])
def test_much_comes_in_steps(coding: str, pack, size: int) -> None:
    inflater = Inflater(coding)
    pieces = list(inflater.feed(pack(b"\7" * size)))
    inflater.close()
    assert max(map(len, pieces)) <= STEP
    assert b"".join(pieces) == b"\7" * size


@pytest.mark.parametrize(("coding", "pack"), PACKED[:3])
def test_a_cut_stream_is_noticed(coding: str, pack) -> None:
    packed = pack(bytes(range(200)))
    for end in (1, 5, len(packed) // 2, len(packed) - 1):
        with pytest.raises(BadCoding):
            unpacked(coding, packed[:end], 1000)


def test_an_empty_body_needs_no_packing() -> None:
    assert unpacked("gzip", b"", 1) == b""


def test_streams_of_gzip_may_follow_each_other() -> None:
    assert unpacked("gzip", gzip.compress(b"abc") + gzip.compress(b"def"), 7) == b"abcdef"


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_what_is_not_packed_is_refused(coding: str) -> None:
    with pytest.raises(BadCoding, match="cannot be decompressed"):
        unpacked(coding, b"\xff\xff not packed at all", 100)


@pytest.mark.parametrize(
    ("coding", "known"), [("gzip", True), ("", True), ("gzip, gzip", False), ("br", False), ("gzip,", False)]
)
def test_only_one_coding_is_known(coding: str, known: bool) -> None:
    assert Inflater.knows(coding) is known
