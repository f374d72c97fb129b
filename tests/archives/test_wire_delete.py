"""A deletion on the wire: sent once, and waited for longer than for an answer that only has to be read."""

from collections.abc import Iterable

import pytest

from dicomweb_mcp.archives.base import Busy, Unreachable
from dicomweb_mcp.archives.profiles import PROFILES
from dicomweb_mcp.archives.wire import MiB, Patience, Wire
from dicomweb_mcp.settings import ArchiveSettings
from fakes.scripted import CUT, Scripted, Step, http

pytestmark = pytest.mark.anyio
HURRIED = Patience(connect=1, silence=0.2, answer=0.3, verdict=5, back_off=0.001)


def wire(server: Scripted) -> Wire:
    settings = ArchiveSettings.model_validate({"name": "pacs", "url": server.url, "kind": "orthanc"})
    return Wire(settings, PROFILES["orthanc"], patience=HURRIED)


async def test_a_slow_deletion_is_waited_for() -> None:
    def slow(_: str) -> Iterable[Step]:
        return [0.6, http(b"{}")]

    async with Scripted(slow).running() as server:
        archive = wire(server)
        assert (await archive.delete("/studies/1.2", accept="application/json", most=MiB)).body == b"{}"
        with pytest.raises(Unreachable):
            await archive.get("/studies/1.2", accept="application/json", most=MiB)
        await archive.close()
    assert server.heads[0].startswith(b"DELETE /dicom-web/studies/1.2 HTTP/1.1\r\n")


async def test_a_deletion_is_never_sent_twice() -> None:
    async with Scripted(lambda _: [CUT]).running() as server:
        archive = wire(server)
        with pytest.raises(Unreachable):
            await archive.delete("/studies/1.2", accept="application/json", most=MiB)
        server.script = lambda _: [http(b"", status="503 Busy")]
        answer = await archive.delete("/studies/1.2", accept="application/json", most=MiB)
        await archive.close()
    assert answer.status == 503
    assert isinstance(archive.failure(answer), Busy)
    assert len(server.asked) == 2
