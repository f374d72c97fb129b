"""copy_instances through a client: where it is offered, and what it answers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archives.folder_helpers import make_file
from dicomweb_mcp.server import instructions, offered
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings
from fakes.google import Google
from fakes.store import Store
from services.retrieve.helpers import Serving
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer

pytestmark = pytest.mark.anyio


def settings(*permits: str, **more: Any) -> Settings:
    archives = [
        {"name": f"pacs{number}", "url": f"https://pacs{number}.test/dicom-web", "permit": [permit] if permit else []}
        for number, permit in enumerate(permits)
    ]
    return Settings.model_validate({"archives": archives, **more})


@pytest.mark.parametrize(
    ("permits", "more", "into"),
    [
        (("store",), {}, None),
        (("", "delete"), {}, None),
        (("store", "store"), {"http": {"host": "127.0.0.1", "port": 0}}, None),
        (("", "store"), {}, ["pacs1"]),
        (("store", "", "store"), {"files": {"roots": ["/data"]}}, ["pacs0", "pacs2"]),
    ],
)
def test_it_is_offered_where_another_archive_permits_storing(
    permits: tuple[str, ...], more: dict[str, Any], into: list[str] | None
) -> None:
    given = settings(*permits, **more)
    tools = {tool.name: tool for tool in offered(App(given))}
    assert ("copy_instances" in tools) == ("copy_instances" in instructions(given)) == (into is not None)
    if into is not None:
        properties = tools["copy_instances"].parameters["properties"]
        assert properties["to_archive"]["enum"] == into
        assert properties["from_archive"]["enum"] == [archive.name for archive in given.archives]


@IN_BOTH_ERAS
async def test_an_answer_counts_and_names_the_uids_that_need_a_look(
    connect: Callable[..., Any], tmp_path: Path
) -> None:
    for number in (1, 2):
        make_file(
            tmp_path / f"{number}.dcm", "1.2", "1.2.3", f"1.2.3.{number}",
            Rows=1_000, Columns=1_000, BitsAllocated=16, SamplesPerPixel=1,
        )  # fmt: skip
    source = Serving(Store.files(*sorted(tmp_path.glob("*.dcm"))))
    for path in ("/series/1.2.3", "/instances/1.2.3.2"):
        source.gives(404, path, times=9)
    async with connect(roots=[tmp_path], one=(source, "dcm4chee"), two=(Google(Store()), "google")) as client:
        given = {"from_archive": "one", "to_archive": "two", "study_uid": "1.2"}
        plan = await answer(client, "copy_instances", **given, dry_run=True)
        assert (plan["archive"], plan["to_store"], plan["stored"]) == ("two", 2, 0)
        assert "About 4.0 MB are to be fetched, as the pixels are without compression." in plan["notes"]
        found = await answer(client, "copy_instances", **given)
    assert (found["stored"], found["not_sent"], found["studies"]) == (1, 1, {"1.2": 1})
    assert found["bytes"] == (tmp_path / "1.dcm").stat().st_size
    assert [(row["file"], row["outcome"]) for row in found["files"]] == [("1.2.3.2", "not_sent")]
