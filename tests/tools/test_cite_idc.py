"""cite_idc through a client: what it answers, what it writes and where, and what it refuses."""

import os
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client

from dicomweb_mcp import paths
from dicomweb_mcp.idc.wheel import release
from dicomweb_mcp.server import build
from idc.bibtex import read
from idc.parquet import plain_rows
from support import app_over
from tools.eras import IN_BOTH_ERAS
from tools.reading import answer, call, characters, refusal, text_of

pytestmark = pytest.mark.anyio
Connect = Callable[..., Any]


def nobody(request: httpx.Request) -> httpx.Response:
    raise AssertionError("an offline answer sends nothing")


@asynccontextmanager
async def over_idc(*roots: Path, http: Any = None) -> AsyncIterator[Client]:
    app = app_over({"idc": (nobody, "idc")}, roots, http=http)
    async with Client(build(app), raise_exceptions=True) as client:
        yield client


@cache
def mixed_collection() -> str:
    """The smallest collection with most licences."""
    ((name, *_),) = plain_rows(
        "SELECT collection_id FROM index GROUP BY 1 ORDER BY count(DISTINCT license_short_name) DESC, count(*) LIMIT 1"
    )
    return str(name)


@cache
def small_study() -> tuple[str, list[tuple[Any, ...]]]:
    """A study of two or three series, and these."""
    ((study,),) = plain_rows(
        "SELECT StudyInstanceUID FROM index GROUP BY 1 HAVING count(*) BETWEEN 2 AND 3 ORDER BY 1 LIMIT 1"
    )
    columns = "SeriesInstanceUID, aws_bucket, crdc_series_uuid, instanceCount, series_size_MB"
    return study, plain_rows(f"SELECT {columns} FROM index WHERE StudyInstanceUID = ?", study)


@IN_BOTH_ERAS
async def test_a_collection_is_counted_as_its_rows_are(connect: Connect) -> None:
    name = mixed_collection()
    rows = plain_rows(
        "SELECT license_short_name, lower(source_DOI), PatientID, StudyInstanceUID, instanceCount, series_size_MB FROM index WHERE collection_id = ?",
        name,
    )
    async with connect(idc=(nobody, "idc")) as client:
        result = await call(client, "cite_idc", collection=name)
    found, text = result.structured_content, text_of(result)
    assert (found["archive"], found["index_release"]) == ("idc", release())
    assert found["counts"]["series"] == len(rows)
    assert found["counts"]["patients"] == len({row[2] for row in rows})
    assert found["counts"]["studies"] == len({row[3] for row in rows})
    assert found["counts"]["instances"] == sum(row[4] for row in rows)
    assert found["counts"]["size_MB"] == pytest.approx(sum(row[5] for row in rows), abs=0.01)
    assert {row["license"]: row["series"] for row in found["licenses"]} == Counter(row[0] for row in rows)
    paper, *cited = found["citations"]
    assert paper["DOI"] == "10.1148/rg.230180"
    assert {row["DOI"]: row["series"] for row in cited} == Counter(row[1] for row in rows)
    for row in found["citations"]:
        assert f"    {row['text']}" in text.splitlines()
    for line in (f"commercial_use: {found['commercial_use']}", f"download: idc download {name}"):
        assert line in text.splitlines()
    assert release() in found["acknowledgement"]
    assert len(found["viewer"]) == 1


async def test_a_study_with_commands_for_each_series() -> None:
    study, series = small_study()
    async with over_idc() as client:
        found = await answer(client, "cite_idc", uids=[study], style="bibtex")
        same = await answer(client, "cite_idc", uids=[row[0] for row in series])
    assert found["counts"] == same["counts"]
    assert found["counts"]["series"] == len(series)
    assert found["counts"]["instances"] == sum(row[3] for row in series)
    assert found["download"][0] == f"idc download {study}"
    for _, bucket, uuid, *_ in series:
        assert (
            f's5cmd --no-sign-request --endpoint-url https://s3.amazonaws.com cp "s3://{bucket}/{uuid}/*" .'
            in found["download"]
        )
    assert sum("storage.googleapis.com" in command for command in found["download"]) == len(series)
    assert len(same["viewer"]) == len(series)
    entries = [read(row["text"]) for row in found["citations"]]
    assert [entry.kind for entry in entries] == ["article"] + ["misc"] * (len(entries) - 1)


@pytest.mark.parametrize("style", ["apa", "bibtex"])
async def test_many_sources_stay_within_the_budget(style: str) -> None:
    """One series of every DOI: texts give way, the DOIs with most series keep theirs."""
    series = [uid for (uid,) in plain_rows("SELECT min(SeriesInstanceUID) FROM index GROUP BY lower(source_DOI)")]
    async with over_idc() as client:
        result = await call(
            client, "cite_idc", uids=[*series, *(f"9.9.{number}" for number in range(500))], style=style
        )
    found = result.structured_content
    assert max(characters(found), len(text_of(result))) <= 12_000
    assert found["counts"]["series"] == len(series)
    assert next(row["DOI"] for row in found["citations"] if "text" in row) == "10.1148/rg.230180"
    assert any("did not fit" in note for note in found["notes"])
    assert len(found["not_found"]) == 20
    assert any("500 UIDs were not found" in note for note in found["notes"])


async def test_what_the_release_does_not_have() -> None:
    study, _ = small_study()
    async with over_idc() as client:
        found = await answer(client, "cite_idc", uids=["1.2.3", study, "tcga_luad\nnote: x"])
        assert [row["UID"] for row in found["not_found"]] == ["1.2.3", "tcga_luad note: x"]
        assert "the id of a collection goes into collection" in await refusal(client, "cite_idc", uids=["1.2.3"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "one of the two"),
        ({"uids": [], "collection": " "}, "one of the two"),
        ({"uids": ["1.2.3"], "collection": "nlst"}, "one of the two"),
        ({"uids": "1.2.3"}, "valid list"),
        ({"uids": ["1.2"] * 1_001}, "at most 1000 items"),
        ({"collection": "no such thing at all"}, "no collection or analysis result"),
        ({"collection": "nlst", "style": "mla"}, "'apa' or 'bibtex'"),
        ({"collection": "nlst", "manifest": ""}, "at least 1 character"),
        ({"collection": "nlst", "manifest": "m.txt"}, "No file root is configured"),
        ({"collection": "nlst", "download": True}, "download is not an argument"),
    ],
)  # fmt: skip
async def test_wrong_arguments(arguments: Any, says: str) -> None:
    async with over_idc() as client:
        assert says in await refusal(client, "cite_idc", **arguments)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "taken.txt").write_text("mine")
    (tmp_path.resolve() / "outside").mkdir()
    return folder


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


async def test_a_manifest_has_a_line_for_each_series(root: Path) -> None:
    name = mixed_collection()
    rows = plain_rows("SELECT series_aws_url FROM index WHERE collection_id = ?", name)
    async with over_idc(root) as client:
        found = await answer(client, "cite_idc", collection=name, manifest="sub/m é (1).s5cmd")
        again = await refusal(client, "cite_idc", collection=name, manifest="sub/m é (1).s5cmd")
        other = await answer(client, "cite_idc", collection=name, manifest=str(root / "absolute.txt"))
    assert "nothing is overwritten" in again
    written = root / "sub" / "m é (1).s5cmd"
    assert found["manifest"] == str(written)
    lines = written.read_text(encoding="utf-8").splitlines()
    about = [line for line in lines if line.startswith("#")]
    assert lines[: len(about)] == about
    assert release() in about[0]
    assert name in about[0]
    assert not any("s3://" in line for line in about)
    assert Counter(lines[len(about) :]) == Counter(f"cp {url} ." for (url,) in rows)
    assert Path(other["manifest"]).read_bytes() == written.read_bytes()
    assert f'idc download-from-manifest --manifest-file "{written}"' in found["download"]
    assert everything(root) == ["absolute.txt", "sub", "sub/m é (1).s5cmd", "taken.txt"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("../m.txt", "not below a file root"),
        ("sub/../../outside/m.txt", "not below a file root"),
        ("/etc/m.txt", "not below a file root"),
        ("OUTSIDE/m.txt", "not below a file root"),
        ("link/m.txt", "not below a file root"),
        ("none/m.txt", "make it first"),
        ("taken.txt/m.txt", "make it first"),
        ("taken.txt", "nothing is overwritten"),
        ("dangling", "nothing is overwritten"),
        ("sub", "nothing is overwritten"),
        ("sub/", "name for a file"),
        (".", "name for a file"),
        ("..", "name for a file"),
        (".hidden", "name for a file"),
        ("a\nb.txt", "control characters"),
        ("a\u202eb.txt", "control characters"),
        ("a\0b", "control characters"),
        ("sub\n/m.txt", "control characters"),
        ("NUL", "name for a file"),
        ("con.txt", "name for a file"),
        ("LPT1.x.txt", "name for a file"),
        ("m.txt:stream", "name for a file"),
        ("m.txt.", "name for a file"),
        ("m.txt ", "name for a file"),
        ("$(x)", "name for a file"),
        ("a*.txt", "name for a file"),
        ("x" * 200, "name for a file"),
        ("é" * 150, "could not be written"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
async def test_manifests_that_are_not_written(root: Path, path: str, says: str) -> None:
    outside = root.parent / "outside"
    (root / "link").symlink_to(outside)
    (root / "dangling").symlink_to(root / "nowhere.txt")
    before = everything(root.parent)
    study, _ = small_study()
    async with over_idc(root) as client:
        message = await refusal(client, "cite_idc", uids=[study], manifest=path.replace("OUTSIDE", str(outside)))
    assert says in message
    assert everything(root.parent) == before
    assert (root / "taken.txt").read_text() == "mine"


async def test_a_full_disk_leaves_nothing_behind(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(paths.os, "fsync", full)
    study, _ = small_study()
    async with over_idc(root) as client:
        message = await refusal(client, "cite_idc", uids=[study], manifest="m.txt")
    assert message == "m.txt could not be written: No space left on device. No part of it was left behind."
    assert everything(root) == ["sub", "taken.txt"]


async def test_over_http_nothing_is_written(root: Path) -> None:
    study, _ = small_study()
    async with over_idc(root, http={"host": "127.0.0.1", "port": 0}) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "cite_idc"]
        assert "manifest is refused here: Over HTTP" in (tool.description or "")
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert "Over HTTP" in await refusal(client, "cite_idc", uids=[study], manifest="m.txt")
        assert "manifest" not in await answer(client, "cite_idc", uids=[study])
    assert everything(root) == ["sub", "taken.txt"]


async def test_with_a_file_root_it_is_a_tool_that_writes(root: Path) -> None:
    async with over_idc(root) as client:
        (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name == "cite_idc"]
    assert not tool.annotations.read_only_hint
    assert not tool.annotations.destructive_hint
    assert "refused" not in tool.description
