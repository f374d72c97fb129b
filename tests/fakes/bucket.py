"""A public bucket on loopback: ListObjectsV2 with pages, and its objects (Amazon's API reference, 2006-03-01)."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

from .scripted import Scripted, Step, http

XML = "application/xml"


class FakeBucket(Scripted):
    """``objects`` by key; a listing has ``page`` of them at a time. ``instead`` are other answers by key."""

    def __init__(self, name: str, objects: dict[str, bytes], page: int = 2) -> None:
        super().__init__(self._answer)
        self.name, self.objects, self.page = name, objects, page
        self.instead: dict[str, Iterable[Step]] = {}

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{{}}"

    @property
    def keys_asked(self) -> list[str]:
        return [target.removeprefix(f"/{self.name}/") for target in self.asked if "?" not in target]

    def _answer(self, target: str) -> Iterable[Step]:
        parts = urlsplit(target)
        if not parts.path.startswith(f"/{self.name}/"):
            return [http(b"<Error><Code>NoSuchBucket</Code></Error>", XML, "404 Not Found")]
        if parts.query:
            return [http(self.listing(parse_qs(parts.query)), XML)]
        key = parts.path.removeprefix(f"/{self.name}/")
        if key in self.instead:
            return self.instead[key]
        if key not in self.objects:
            return [http(b"<Error><Code>NoSuchKey</Code></Error>", XML, "404 Not Found")]
        return [http(self.objects[key], "application/octet-stream")]

    def listing(self, query: dict[str, list[str]]) -> bytes:
        assert query["list-type"] == ["2"]
        keys = sorted(key for key in self.objects if key.startswith(query["prefix"][0]))
        start = int(re.sub(r"\D", "", query.get("continuation-token", ["0"])[0]))
        page, left = keys[start : start + self.page], keys[start + self.page :]
        token = f"<NextContinuationToken>+{start + self.page}==</NextContinuationToken>" if left else ""
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2023-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>&quot;0&quot;</ETag><Size>{len(self.objects[key])}</Size></Contents>"
            for key in page
        )
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>{self.name}</Name><Prefix>{escape(query['prefix'][0])}</Prefix>{token}"
            f"<IsTruncated>{'true' if left else 'false'}</IsTruncated>{contents}</ListBucketResult>"
        ).encode()
