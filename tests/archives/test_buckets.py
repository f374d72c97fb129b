"""Listings of buckets: read as the documentation has them, and nothing else taken for one."""

from xml.parsers.expat import ExpatError

import pytest

from dicomweb_mcp.archives.base import ArchiveError, NotFound, NotUnderstood, Refused, Unreachable
from dicomweb_mcp.archives.buckets import Bucket, BucketObject, listing
from fakes.bucket import XML, FakeBucket
from fakes.scripted import CUT, Script, Scripted, http
from support import HURRIED, settings_of

pytestmark = pytest.mark.anyio
UUID = "00000000-0000-4000-8000-00000000000a"
LIST = '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{}</ListBucketResult>'
BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><ListBucketResult><Name>&b;</Name></ListBucketResult>'
FILE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><ListBucketResult><Name>&a;</Name></ListBucketResult>'


def key(number: int) -> str:
    return f"{UUID}/00000000-0000-4000-8000-{number:012x}.dcm"


def bucket_at(server: Scripted) -> Bucket:
    return Bucket(settings_of("idc", "idc"), "idc-open-data", f"http://127.0.0.1:{server.port}/{{}}", patience=HURRIED)


async def test_every_page_is_listed_and_objects_are_read() -> None:
    objects = {key(number): bytes([number]) * 1_000 for number in range(5)}
    others = {f"{UUID}/index.html": b"x", f"{UUID}x/1.dcm": b"x"}
    async with FakeBucket("idc-open-data", objects | others).running() as server:
        assert isinstance(server, FakeBucket)
        bucket = bucket_at(server)
        found = await bucket.objects(UUID)
        assert found == [BucketObject(name, 1_000) for name in sorted(objects)]
        async with bucket.opened(found[3]) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == objects[key(3)]
        with pytest.raises(NotFound, match="no files of this series"):
            await bucket.objects(UUID.replace("a", "b"))
        await bucket.close()
    heads = b"".join(server.heads).lower()
    assert b"authorization" not in heads
    assert b"cookie" not in heads


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"<html/>", b"<ListBucketResult>", BOMB.encode(), FILE.encode(),
        LIST.format("<IsTruncated>true</IsTruncated>").encode(),
        LIST.format("<Contents><Key>a</Key></Contents>").encode(),
        LIST.format("<Contents><Key>a</Key><Size>-1</Size></Contents>").encode(),
        LIST.format("<Contents><Key>a</Key><Size>9999999999999999</Size></Contents>").encode(),
    ],
)  # fmt: skip
def test_what_is_no_listing_is_refused(body: bytes) -> None:
    with pytest.raises((ExpatError, ValueError)):
        listing(body)


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        (lambda _: [http(b"sorry", "text/html")], NotUnderstood),
        (lambda _: [http(b"", XML, "301 Moved Permanently", headers=("Location: http://127.0.0.1:1/",))], Refused),
        (lambda _: [http(b"", XML, "403 Forbidden")], ArchiveError),
        (lambda _: [http(b"<ListBucketResult>", XML, length=900), CUT], Unreachable),
        (lambda _: [http(b"", XML, length=17 << 20), CUT], NotUnderstood),
        (
            lambda _: [http(LIST.format("<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>").encode(), XML)],
            NotUnderstood,
        ),
    ],
)  # fmt: skip
async def test_a_bucket_that_answers_badly_is_an_error(script: Script, problem: type[ArchiveError]) -> None:
    async with Scripted(script).running() as server:
        bucket = bucket_at(server)
        with pytest.raises(problem):
            await bucket.objects(UUID)
        await bucket.close()
