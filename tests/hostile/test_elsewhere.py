"""Archives that point elsewhere, by redirects or in metadata: nothing but the archive's own address is ever asked."""

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest

from fakes.scripted import Script, Scripted, Step, http
from hostile.world import CALLS, ROWS, client_of, good, outcomes_of, resource, row
from tools.reading import call, refusal

pytestmark = pytest.mark.anyio

STATUSES = ["300 Choices", "301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
REDIRECTS = [
    "http://{other}/dicom-web/studies",
    "//{other}/",
    "/dicom-web/studies",
    "",
    "file:///etc/passwd",
    "http://[::1",
    "http://{other}:99999999/",
    "http://user:secret@{other}/",
    "http:///",
    "\u00e9\u00ff:",
    "x" * 70_000,
]


async def test_redirects_are_not_followed() -> None:
    other = Scripted(good)
    async with other.running():
        heads = {(status, number): http(b"<a>moved</a>", "text/html", status,
                                        headers=(f"Location: {where.replace('{other}', f'127.0.0.1:{other.port}')}",))
                 for status in STATUSES for number, where in enumerate(REDIRECTS)}  # fmt: skip
        scripts = {f"{status}, {number}": lambda _, moved=moved: [moved] for (status, number), moved in heads.items()}
        found = await outcomes_of(scripts, ["search_studies"])
    for (script, _), outcome in found.items():
        assert "redirects to another address" in outcome.text, (script, outcome.text)
        assert "127.0.0.1" not in outcome.text
        assert outcome.then == ""
        assert len(outcome.server.asked) == 2
    assert other.connections == 0


def with_table(uri: Any) -> bytes:
    """A picture whose lookup table is a bulk value."""
    table = {"00283002": {"vr": "US", "Value": [16, 0, 8]}, "00283006": {"vr": "OW", "BulkDataURI": uri}}
    return json.dumps([row(**{"00283010": {"vr": "SQ", "Value": [table]}})]).encode()


URIS = [
    "http://{other}/dicom-web/bulk/1",
    "http://{other}/bulk",
    "//{other}/bulk",
    "http://169.254.169.254/latest/meta-data/iam",
    "http://localhost:{port}/bulk",
    "http://{other}@{own}/dicom-web/bulk/1",
    "http://user:password@{own}/dicom-web/bulk/1",
    "http://{own}@{other}/bulk",
    "file:///etc/passwd",
    "gopher://{other}/1",
    "http://{own}/admin/delete",
    "/admin",
    "../../../../../../admin",
    "http://{own}/dicom-web/../admin",
    "http://{own}/dicom-web/%2e%2e/admin",
    "http://{own}/dicom-web/%2E./admin",
    "http://{own}/dicom-web/..%2fadmin",
    "http://{own}/dicom-web/..\\admin",
    "http://{own}/dicom-web/bulk\r\nHost: evil",
    "http://{own}/dicom-web/bulk\thttp://{other}",
    "http://{own}:80/dicom-web/bulk/1",
    "http://[",
    "http://{own}:x/dicom-web/bulk/1",
    "\u2025/admin",
    "",
    7,
    ["http://{other}/"],
    {"a": 1},
    "x" * 100_000,
]


def pointing(uri: Any, own: Scripted, other: Scripted) -> Script:
    def script(target: str) -> Iterable[Step]:
        if resource(target) != "metadata":
            return good(target)
        written = json.dumps(uri).replace("{own}", f"127.0.0.1:{own.port}").replace("{port}", str(other.port))
        return [http(with_table(json.loads(written.replace("{other}", f"127.0.0.1:{other.port}"))))]

    return script


async def test_bulk_values_are_read_from_the_archive_alone() -> None:
    other = Scripted(good)
    servers = {f"bad{number}": Scripted(good) for number in range(len(URIS))}
    for server, uri in zip(servers.values(), URIS, strict=True):
        server.script = pointing(uri, server, other)
    async with other.running(), client_of(servers) as client:
        texts = {}
        for name in servers:
            texts[name] = await refusal(client, "render_frame", archive=name, **CALLS["render_frame"].arguments)
    assert other.connections == 0
    for server, (name, text), uri in zip(servers.values(), texts.items(), URIS, strict=True):
        assert text.startswith(f"Archive {name}: "), (uri, text)
        assert re.search("names a bulk value|LUTData is missing", text), (uri, text)
        assert "127.0.0.1" not in text
        assert "password" not in text
        asked = [resource(target) for target in server.asked]
        assert set(asked) <= {"metadata", "frames", "rendered"}, (uri, server.asked)
        assert all(target.startswith("/dicom-web/studies/1.2.3/series/1.2.3.4/") for target in server.asked)


@pytest.mark.parametrize("uri", ["http://{other}/dicom-web/studies/1/bulk/2", "//{other}/studies/1/bulk/2",
                                 "http://user:password@{other}/x/studies/1/bulk/2", "http://{own}/dicom-web/studies/1/bulk/2",
                                 "/dicom-web/studies/1/bulk/2", "/studies/1/bulk/2"])  # fmt: skip
async def test_of_a_host_that_only_the_server_knows_the_path_is_asked_for_here(uri: str) -> None:
    other, server = Scripted(good), Scripted(good)
    server.script = pointing(uri, server, other)
    async with other.running(), client_of({"bad": server}) as client:
        await call(client, "render_frame", archive="bad", **CALLS["render_frame"].arguments)
    assert other.connections == 0
    assert "/dicom-web/studies/1/bulk/2" in server.asked
    assert not any(b"password" in head or b"dXNlcjpwYXNz" in head for head in server.heads)


async def test_cookies_are_not_kept() -> None:
    """They would grow, and tell one call's requests from another's."""
    cookies = tuple(f"Set-Cookie: c{number}=v{number}; Path=/; Max-Age=99999" for number in range(500))
    server = Scripted(lambda _: [http(ROWS, headers=cookies)])
    async with client_of({"bad": server}) as client:
        for _ in range(3):
            await call(client, "search_studies")
    assert len(server.heads) == 3
    assert not any(b"cookie" in head.lower() for head in server.heads)
