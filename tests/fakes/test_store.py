"""The ground under the fakes: what the store holds, gives and counts, and the ways of matching."""

import time

import httpx
import pytest
from pydicom import dcmread

from fakes.base import Fake, Media, Target, multipart, split_multipart
from fakes.deaf import Deaf
from fakes.matching import any_prefix, sounds_like, wild, within
from fakes.store import SHIPPED, Store, synthetic_uid, texts


def test_synthetic_objects_are_counted_by_level():
    store = Store.synthetic(studies=3, series=2, instances=4)
    assert [len(store.rows(level)) for level in ("study", "series", "instance")] == [3, 6, 24]
    study = store.rows("study")[1]
    counts = [texts(study.attributes[tag]) for tag in ("00080061", "00201206", "00201208")]
    assert (study.study, *counts) == (synthetic_uid(1), ["MR", "US"], ["2"], ["8"])
    assert len(store.rows("instance", study=synthetic_uid(2), series=synthetic_uid(2, 1))) == 4


def test_many_synthetic_studies_are_quick():
    start = time.perf_counter()
    assert len(Store.synthetic(studies=6_000).rows("study")) == 6_000
    assert time.perf_counter() - start < 5


def test_a_file_is_given_as_it_lies_there_and_decompressed():
    held = Store.shipped("MR_small_RLE.dcm").instances[0]
    native = dcmread(SHIPPED / "MR_small.dcm").PixelData
    assert held.file() == (SHIPPED / "MR_small_RLE.dcm").read_bytes()
    assert held.frame(1) != native
    assert held.decoded(1) == native
    assert held.bulk("7FE00010") == dcmread(SHIPPED / "MR_small_RLE.dcm").PixelData


@pytest.mark.parametrize("name", ["MR_small.dcm", "MR_small_bigendian.dcm", "MR_small_jp2klossless.dcm"])
def test_decoded_frames_are_little_endian(name: str):
    assert Store.shipped(name).instances[0].decoded(1) == dcmread(SHIPPED / "MR_small.dcm").PixelData


def test_frames_of_a_native_multi_frame_object_are_cut_by_size():
    held = Store.shipped("rtdose.dcm").instances[0]
    frames = [held.frame(number) for number in range(1, held.number_of_frames + 1)]
    assert (len(frames), b"".join(frames)) == (15, held.dataset.PixelData[: 15 * len(frames[0])])


def test_metadata_names_the_pixel_data_without_holding_it():
    attributes = Store.shipped("CT_small.dcm").instances[0].attributes
    assert attributes["7FE00010"] == {"vr": "OW"}
    assert attributes["00100010"]["Value"] == [{"Alphabetic": "CompressedSamples^CT1"}]
    assert not any(tag.endswith("0000") for tag in attributes)


@pytest.mark.parametrize(
    ("way", "value", "wanted", "expected"),
    [
        (wild, "Doe^John", "doe*", False),
        (wild, "Doe^John", "Doe*", True),
        (wild, "Doe^John", "Doe^J?hn", True),
        (wild, "Doe^John", "Doe", False),
        (wild, "a.c", "a.c", True),
        (wild, "abc", "a.c", False),
        (within, "20200115", "20200101-20200131", True),
        (within, "20200115", "20200115-", True),
        (within, "20200115", "-20200114", False),
        (within, "", "-20200114", False),
        (any_prefix, "John^Doe", "jo", True),
        (any_prefix, "John^Doe", "John Doe", True),
        (any_prefix, "John^Doe", "ohn", False),
        (any_prefix, "Müller^Jörg", "muller", True),
        (sounds_like, "Meyer^Ann", "Maier", True),
        (sounds_like, "Meyer^Ann", "Maier^Zoe", False),
    ],
)
def test_a_way_of_matching(way, value: str, wanted: str, expected: bool):
    assert way([value], wanted) is expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/studies", Target("study", (), True)),
        ("/instances", Target("instance", (), True)),
        ("/studies/1/instances", Target("instance", ("1",), True)),
        ("/studies/1/series/2", Target("series", ("1", "2"), False)),
        ("/studies/1/series/2/instances/3/frames/1,2", Target("instance", ("1", "2", "3"), False, ("frames", "1,2"))),
        ("/series/2/instances", None),
        ("/patients", None),
    ],
)
def test_a_path_is_read(path: str, expected: Target | None):
    assert Target.of(path) == expected


def test_accept_headers_are_read():
    header = 'multipart/related; type="image/jpeg; transfer-syntax=1.2", application/dicom; transfer-syntax=*'
    assert Media.wanted(header) == [Media(True, "image/jpeg", None), Media(False, "application/dicom", "*")]


def test_parts_come_back_untouched():
    parts = [(["Content-Type: a/b"], b"\r\n--x \x00\r\n"), (["Content-Type: a/c"], b"")]
    found = split_multipart('multipart/related; boundary="edge;1"', multipart(parts, "edge;1"))
    assert [(head["content-type"], data) for head, data in found] == [("a/b", b"\r\n--x \x00\r\n"), ("a/c", b"")]


def test_requests_are_recorded_and_failures_come_on_order():
    fake = Fake(Store())
    fake.fail(503, times=2, only="metadata")
    fake.fail(httpx.ConnectError("no route"))
    client = httpx.Client(transport=httpx.MockTransport(fake), base_url="http://archive.test/dicom-web/")
    with pytest.raises(httpx.ConnectError):
        client.get("studies?PatientName=Doe%5EJohn&limit=1", headers={"Accept": "application/dicom+json"})
    assert [client.get("studies/1/metadata").status_code for _ in range(3)] == [503, 503, 404]
    first = fake.requests[0]
    assert (first.method, first.path, first.accept) == ("GET", "/studies", "application/dicom+json")
    assert first.query == [("PatientName", "Doe^John"), ("limit", "1")]
    assert first.raw_query == "PatientName=Doe%5EJohn&limit=1"
    assert fake.paths == ["/studies"] + 3 * ["/studies/1/metadata"]


@pytest.mark.anyio
async def test_asynchronous_clients_are_served_and_bodies_kept():
    async def body():
        yield b"one "
        yield b"two"

    fake = Fake(Store())
    async with httpx.AsyncClient(transport=httpx.MockTransport(fake)) as client:
        await client.post("http://archive.test/dicom-web/studies", content=body())
    assert fake.requests[0].body == b"one two"


def test_answers_are_compressed_for_those_who_take_it():
    fake = Deaf(Store.synthetic(studies=3))
    fake.gzip = True
    client = httpx.Client(transport=httpx.MockTransport(fake))
    found = {}
    for encoding in ("gzip", "identity"):
        answer = client.get("http://archive.test/dicom-web/studies", headers={"Accept-Encoding": encoding})
        found[answer.headers.get("content-encoding")] = answer.json()
    assert list(found) == ["gzip", None]
    assert found["gzip"] == found[None]
    assert len(found["gzip"]) == 3
