"""A client connected to the server over fakes."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from dicomweb_mcp.server import build
from support import Answering, app_over

Connect = Callable[..., Any]


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Connect:
    """``async with connect(pacs=(fake, "google")) as client: ...``; ``asked`` answers for the user, where one can be.
    In the newest protocol era; tests in which the protocol has a part are marked with ``IN_BOTH_ERAS``."""
    era = getattr(request, "param", "auto")

    @asynccontextmanager
    async def connected(
        roots: Sequence[Path] = (), asked: Any = None, **fakes: tuple[Answering, str]
    ) -> AsyncIterator[Client]:
        server = build(app_over(fakes, roots))
        async with Client(server, mode=era, raise_exceptions=True, elicitation_callback=asked) as client:
            yield client

    return connected
