"""Archives whose lists have no end: a count, an order and a filter matched here stop at a bound, and say so."""

import json
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, urlsplit

import pytest

from dicomweb_mcp.services import paging, search
from fakes.scripted import Scripted, Step, http
from hostile.world import client_of
from tools.reading import answer, refusal

pytestmark = pytest.mark.anyio


def rows(first: int, number: int) -> bytes:
    return json.dumps([{"0020000D": {"vr": "UI", "Value": [f"1.2.{first + at}"]}, "00100020": {"vr": "LO", "Value": ["x"]},
                        "00081030": {"vr": "LO", "Value": [f"{at}"]}} for at in range(number)]).encode()  # fmt: skip


def full(target: str) -> Iterable[Step]:
    """As many new studies as were asked for, whatever the offset."""
    asked = parse_qs(urlsplit(target).query)
    return [http(rows(int(asked.get("offset", ["0"])[0]), int(asked["limit"][0])))]


def trickling(target: str) -> Iterable[Step]:
    """One new study at a time, and always a promise of more."""
    asked = parse_qs(urlsplit(target).query)
    warning = 'Warning: 299 pacs "There are 7 additional results that can be requested"'
    return [http(rows(int(asked.get("offset", ["0"])[0]), 1), headers=(warning,))]


@pytest.mark.parametrize(("script", "most"), [(full, 20), (trickling, 40)])
async def test_lists_without_end(
    script: Callable[[str], Iterable[Step]], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST_PAGES", most)
    monkeypatch.setattr(search, "MOST_COUNTED", 10_000)
    server = Scripted(script)
    async with client_of({"bad": server}) as client:
        counted = await answer(client, "search_studies", count=True)
        assert (counted["complete"], counted.get("total")) == (False, None)
        assert "a lower bound" in str(counted["notes"])
        assert len(server.asked) <= most
        server.asked.clear()
        assert "needs all matches" in await refusal(client, "search_studies", order="PatientID")
        assert len(server.asked) <= most
        server.asked.clear()
        found = await answer(client, "search_studies", filters={"StudyDescription": "<0"}, fuzzy=False)
        assert found["complete"] is False
        assert len(server.asked) <= most + 1, "once more, because the archive ignored the filter"


async def test_a_slow_list_without_end_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MOST_SECONDS", 1.0)
    server = Scripted(lambda target: [0.1, *full(target)])
    async with client_of({"bad": server}) as client:
        counted = await answer(client, "search_studies", count=True)
    assert counted["complete"] is False
    assert "Only the first" in str(counted["notes"])
    assert 1 <= len(server.asked) < 30, "as many as a busy machine manages, and no more"
