"""search, store, retrieve, copy and delete as a person types them: the answers, the files, the exit codes."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from PIL import Image
from pydicom import dcmread

from archives.folder_helpers import make_file
from cli.typed import Asking, Typed, instances
from dicomweb_mcp.cli import people
from dicomweb_mcp.server import build
from dicomweb_mcp.services import transfer
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load
from fakes.base import Fake
from fakes.deleting import DeletingOrthanc
from fakes.google import Google
from fakes.google_sign_in import listening
from fakes.store import Store
from tools.reading import call, text_of


def the_tool(flags: list[str], name: str, **arguments: Any) -> tuple[dict[str, Any], str]:
    """Both halves of what the tool answers under the flags of a server."""
    options = dict(zip(flags[::2], flags[1::2], strict=True))
    settings = load(
        archives=[options["--archive"]],
        permits=[options["--permit"]] if "--permit" in options else [],
        file_roots=[Path(options["--file-root"])] if "--file-root" in options else [],
        environment={},
    )

    async def ask() -> tuple[dict[str, Any], str]:
        async with Client(build(App(settings)), raise_exceptions=True) as client:
            result = await call(client, name, **arguments)
            assert result.structured_content is not None
            return result.structured_content, text_of(result)

    return anyio.run(ask)


# ---- search ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "tool", "arguments"),
    [
        ([], "search_studies", {}),
        (["studies", "PatientID=P1"], "search_studies", {"filters": {"PatientID": "P1"}}),
        (["PatientName=doe", "--fuzzy"], "search_studies", {"filters": {"PatientName": "doe"}, "fuzzy": True}),
        (["series", "Modality=CT", "Modality=MR"], "list_series", {"filters": {"Modality": ["CT", "MR"]}}),
        (["instances", "InstanceNumber=>=2", "--count"], "list_instances",
         {"filters": {"InstanceNumber": ">=2"}, "count": True}),
        (["instances", "--study", "1.2", "--limit", "2", "--offset", "1", "--order=-InstanceNumber",
          "--fields", "InstanceNumber, Modality"], "list_instances",
         {"study_uid": "1.2", "limit": 2, "offset": 1, "order": "-InstanceNumber",
          "fields": ["InstanceNumber", "Modality"]}),
    ],
)  # fmt: skip
def test_a_search_is_the_tools(
    typed: Typed, outgoing: Path, terms: list[str], tool: str, arguments: dict[str, Any]
) -> None:
    typed.flags = ["--archive", f"mine={outgoing}"]
    structured, text = the_tool(typed.flags, tool, **arguments)
    assert typed("search", "mine", *terms, "--json") == 0
    assert typed.json == structured
    assert typed.err == ""
    assert typed("search", "MINE", *terms) == 0
    assert typed.out == f"{text}\n"


def test_values_and_flags_may_stand_in_any_order(typed: Typed, outgoing: Path) -> None:
    typed.flags = []
    flags = ["--archive", f"mine={outgoing}"]
    assert typed(*flags, "--json", "search", "--limit", "1", "mine", "series", "--count", "Modality=MR") == 0
    assert typed.json["total"] == 1


# ---- store -----------------------------------------------------------------------------------------------------------


def test_storing_needs_no_other_permission_than_the_command(typed: Typed, mine: Path, outgoing: Path) -> None:
    assert typed("store", "mine", outgoing, "--dry-run", "--json") == 0
    assert (typed.json["to_store"], instances(mine)) == (4, set())
    server = [*typed.flags, "--permit", "mine:store", "--file-root", str(outgoing)]
    structured, _ = the_tool(server, "store_instances", paths=[str(outgoing)], dry_run=True)
    assert typed.json == structured
    assert typed("store", "mine", outgoing / "1.dcm", outgoing / "other", "--json") == 0
    assert instances(mine) == {"1.2.3.1", "1.5.3.4"}
    assert typed("store", "mine", outgoing, "--json") == 0
    assert (typed.json["stored"], typed.json["already_there"]) == (2, 2)
    assert typed("store", "mine", outgoing) == 0
    assert "already_there: 4" in typed.out.splitlines()


def test_paths_are_those_of_the_shell(
    typed: Typed, mine: Path, outgoing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the working folder on, patterns that the shell has left, and names that look like patterns."""
    monkeypatch.chdir(outgoing / "other")
    make_file(outgoing / "[1].dcm", "1.2", "1.2.3", "1.2.3.9")
    assert typed("store", "mine", "4.dcm", "../[1].dcm") == 0
    assert instances(mine) == {"1.5.3.4", "1.2.3.9"}
    assert typed("store", "mine", "../[23].dcm", "--json") == 0
    assert (typed.json["stored"], instances(mine)) == (2, {"1.5.3.4", "1.2.3.9", "1.2.3.2", "1.2.3.3"})


def test_only_what_was_named_is_opened(typed: Typed, mine: Path, outgoing: Path) -> None:
    """A link that a person names is followed; one that lies in a folder and leads out of it is not."""
    try:
        (outgoing / "other" / "out.dcm").symlink_to(outgoing / "1.dcm")
    except OSError:
        pytest.skip("no symbolic links here")
    assert typed("store", "mine", outgoing / "other", "--json") == 1
    (row,) = typed.json["files"]
    assert row["outcome"] == "rejected"
    assert "leads outside" in row["reason"]
    assert instances(mine) == {"1.5.3.4"}
    assert typed("store", "mine", outgoing / "other" / "out.dcm") == 0
    assert instances(mine) == {"1.5.3.4", "1.2.3.1"}


def test_a_picture_with_metadata(typed: Typed, mine: Path, outgoing: Path, tmp_path: Path) -> None:
    picture = tmp_path / "wound.png"
    Image.new("RGB", (8, 6), (200, 10, 10)).save(picture)
    assert typed("store", "mine", outgoing / "1.dcm") == 0
    status = typed("store", "mine", picture, "--study", "1.2", "--metadata", "Modality=XC", "SeriesNumber=7",
                   "--metadata", "SeriesDescription=a=b")  # fmt: skip
    assert status == 0, typed.out + typed.err
    (made,) = [data for data in map(dcmread, mine.rglob("*.dcm")) if data.Modality == "XC"]
    assert (made.StudyInstanceUID, made.PatientID, made.SeriesNumber) == ("1.2", "P1", 7)
    assert (made.SeriesDescription, made.Rows, made.Columns) == ("a=b", 6, 8)


def test_what_is_not_well_is_status_1(typed: Typed, mine: Path, outgoing: Path) -> None:
    (outgoing / "notes.txt").write_text("not an image")
    assert typed("store", "mine", outgoing, "--json") == 1
    assert (typed.json["stored"], typed.json["rejected"]) == (4, 1)
    make_file(outgoing / "1.dcm", "1.2", "1.2.3", "1.2.3.1", PatientName="Else")
    assert typed("store", "mine", outgoing / "1.dcm", "--json") == 1
    assert typed.json["different"] == 1


def test_much_is_asked_for(
    typed: Typed, mine: Path, outgoing: Path, terminal: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MOST_UNCONFIRMED", 3)
    assert typed("store", "mine", outgoing) == 3
    assert "to_store: 4" in typed.out.splitlines()
    assert "Add --yes" in typed.err
    assert "confirm=true" not in typed.out
    terminal("n\n")
    assert typed("store", "mine", outgoing) == 3
    assert (typed.out, instances(mine)) == ("", set())
    size = sum(path.stat().st_size for path in outgoing.rglob("*.dcm")) / 1e6
    assert "to_store: 4" in typed.err.splitlines()
    assert f"Store 4 files ({size:.1f} MB, 2 studies) in the archive mine? [y/N]" in typed.err
    terminal("y\n")
    assert typed("store", "mine", outgoing / "other", outgoing) == 0
    assert "stored: 4" in typed.out.splitlines()
    assert len(instances(mine)) == 4
    (mine / "again").mkdir()
    typed.flags = ["--archive", f"mine={mine / 'again'}"]
    assert typed("store", "mine", outgoing, "--yes", "--json") == 0
    assert typed.json["stored"] == 4


def test_a_program_is_not_asked(
    typed: Typed, mine: Path, outgoing: Path, terminal: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MOST_UNCONFIRMED", 3)
    terminal("y\ny\n")
    assert typed("store", "mine", outgoing, "--json") == 3
    assert (typed.json["to_store"], instances(mine)) == (4, set())
    assert typed.json["notes"] == ["Nothing was sent yet: more than 100 files or 1 GB."]
    assert (typed.err.count("\n"), "Add --yes" in typed.err) == (1, True)
    typed.flags = ["--archive", f"mine={outgoing}"]
    assert typed("delete", "mine", "--study", "1.2", "--json") == 3
    assert (typed.json["instances"], len(instances(outgoing))) == (3, 4)


# ---- retrieve --------------------------------------------------------------------------------------------------------


def test_retrieving_into_any_folder(
    typed: Typed, outgoing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    typed.flags = ["--archive", f"mine={outgoing}"]
    assert typed("retrieve", "mine", "--study", "1.2", "--to", "new/in", "--json") == 0
    assert (typed.json["retrieved"], typed.json["folder"]) == (3, str(tmp_path.resolve() / "new" / "in"))
    for number in (1, 2, 3):
        file = tmp_path / "new" / "in" / "P1" / "1.2" / "1.2.3" / f"1.2.3.{number}.dcm"
        assert file.read_bytes() == (outgoing / f"{number}.dcm").read_bytes()
    again = ["retrieve", "mine", "--instance", "1.2.3.1", "--instance", "1.5.3.4", "--to", tmp_path / "new" / "in"]
    assert typed(*again, "--json") == 0
    assert (typed.json["retrieved"], typed.json["already_there"]) == (1, 1)
    server = [*typed.flags, "--file-root", str(tmp_path)]
    structured, text = the_tool(server, "retrieve_instances", directory="new/in", instance_uids=["1.2.3.1", "1.5.3.4"])
    assert typed(*again, "--json") == 0
    assert typed.json == structured
    assert typed(*again) == 0
    assert typed.out == f"{text}\n"


def test_values_and_frames(typed: Typed, outgoing: Path, tmp_path: Path) -> None:
    pixels = bytes(range(8))
    make_file(outgoing / "5.dcm", "1.2", "1.2.3", "1.2.3.5", Rows=2, Columns=2, NumberOfFrames=2, BitsAllocated=8,
              BitsStored=8, HighBit=7, PixelRepresentation=0, SamplesPerPixel=1,
              PhotometricInterpretation="MONOCHROME2", PixelData=pixels)  # fmt: skip
    typed.flags = ["--archive", f"mine={outgoing}", "--to", str(tmp_path / "in"), "--json", "--instance", "1.2.3.5"]
    assert typed("retrieve", "mine", "--frames", "2,1") == 0
    written = {name: (tmp_path / "in").rglob(name) for name in typed.json["written"]}
    assert sorted(next(found).read_bytes() for found in written.values()) == [pixels[:4], pixels[4:]]
    assert typed("retrieve", "mine", "--bulk-path", "7FE00010") == 0
    (name,) = typed.json["written"]
    assert next((tmp_path / "in").rglob(name)).read_bytes() == pixels


def test_another_file_of_the_name_is_status_1(typed: Typed, outgoing: Path, tmp_path: Path) -> None:
    typed.flags = ["--archive", f"mine={outgoing}"]
    taken = tmp_path / "in" / "P2" / "1.5" / "1.5.3" / "1.5.3.4.dcm"
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"something else")
    assert typed("retrieve", "mine", "--series", "1.5.3", "--to", tmp_path / "in", "--json") == 1
    assert typed.json["different"] == 1
    assert taken.read_bytes() == b"something else"


# ---- delete ----------------------------------------------------------------------------------------------------------


def test_deleting_asks_or_wants_yes(typed: Typed, outgoing: Path, terminal: Asking) -> None:
    typed.flags = ["--archive", f"mine={outgoing}"]
    everything = instances(outgoing)
    assert typed("delete", "mine", "--series", "1.2.3", "--json") == 3
    assert (typed.json["instances"], instances(outgoing)) == (3, everything)
    assert "Add --yes" in typed.err
    structured, _ = the_tool([*typed.flags, "--permit", "mine:delete"], "delete_instances", series_uid="1.2.3")
    assert typed.json == {name: value for name, value in structured.items() if name != "token"}, "no option takes it"
    for refusal in ("n\n", "\n", "", "yes please\n"):
        terminal(refusal)
        assert typed("delete", "mine", "--series", "1.2.3") == 3
        assert (typed.out, instances(outgoing)) == ("", everything)
        assert "patient: PatientID=P1; PatientName=Doe^Jane" in typed.err
        assert "token:" not in typed.err
        assert typed.err.endswith(
            "\nFiles are moved into a trash, and can be brought back. Delete series 1.2.3 (3 instances; P1, Doe^Jane; CT) "
            "from the archive mine? [y/N] dicomweb-mcp: Nothing was deleted.\n"
        )
    terminal("Yes\n")
    assert typed("delete", "mine", "--instance", "1.2.3.1") == 0
    assert "deleted: 1" in typed.out.splitlines()
    assert instances(outgoing) == everything - {"1.2.3.1"}
    assert typed("delete", "mine", "--study", "1.2", "--yes", "--json") == 0
    assert (typed.json["deleted"], instances(outgoing)) == (2, {"1.5.3.4"})


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("delete", "mine", "--study", "1.2"), "Nothing was deleted."),
        (("store", "other", "outgoing"), "Nothing was sent."),
        (("copy", "mine", "other", "--study", "1.2"), "Nothing was sent."),
    ],
)
def test_ctrl_c_at_a_question(
    typed: Typed, outgoing: Path, terminal: Asking, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], says: str
) -> None:
    monkeypatch.setattr(transfer, "MOST_UNCONFIRMED", 2)
    monkeypatch.chdir(outgoing.parent)
    other = outgoing.parent / "other"
    other.mkdir()
    typed.flags = ["--archive", f"mine={outgoing}", "--archive", f"other={other}"]
    terminal("")

    def interrupted() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.stdin, "readline", interrupted)
    assert typed(*command) == 130
    assert typed.err.endswith(f"[y/N] \ndicomweb-mcp: Interrupted. {says}\n")
    assert (len(instances(outgoing)), len(instances(other))) == (4, 0)


def test_ctrl_c_before_a_deletion(typed: Typed, outgoing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(people.delete, "delete", interrupted)
    typed.flags = ["--archive", f"mine={outgoing}"]
    assert typed("delete", "mine", "--study", "1.2", "--yes") == 130
    assert typed.err == "dicomweb-mcp: Interrupted. Nothing was deleted.\n"


def test_what_changes_while_the_person_thinks_is_not_deleted(
    typed: Typed, outgoing: Path, terminal: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal("")

    def arrives(*_: object) -> bool:
        make_file(outgoing / "late.dcm", "1.2", "1.2.3", "1.2.3.8")
        return True

    monkeypatch.setattr(people.delete, "agrees", arrives)
    typed.flags = ["--archive", f"mine={outgoing}"]
    assert typed("delete", "mine", "--study", "1.2") == 1
    assert "instances: 4" in typed.out.splitlines()
    assert not any(line.startswith("deleted:") for line in typed.out.splitlines())
    assert "has changed since the plan" in typed.err
    assert len(instances(outgoing)) == 5


# ---- over the wire ---------------------------------------------------------------------------------------------------


@pytest.fixture
def pacs(typed: Typed, tmp_path: Path) -> Iterator[Fake]:
    """An Orthanc on loopback, which can be stored into and deleted from, in a configuration that permits nothing."""
    fake = DeletingOrthanc(Store())
    with listening(fake) as address:
        (tmp_path / "c.toml").write_text(f'[archives.pacs]\nurl = "{address}/dicom-web"\nkind = "orthanc"\n')
        typed.flags = ["--config", str(tmp_path / "c.toml")]
        yield fake


def test_a_server(typed: Typed, pacs: Fake, outgoing: Path) -> None:
    assert typed("store", "pacs", outgoing, "--json") == 0
    assert typed.json["stored"] == len(pacs.store.instances) == 4
    assert typed("search", "pacs", "instances", "--study", "1.2", "--count", "--json") == 0
    assert typed.json["total"] == 3
    assert typed("delete", "pacs", "--study", "1.2", "--yes", "--json") == 0
    assert typed.json["deleted"] == 3
    assert [held.text("00080018") for held in pacs.store.instances] == ["1.5.3.4"]


def test_what_only_google_offers(typed: Typed, outgoing: Path, tmp_path: Path) -> None:
    fake = Google(Store())
    Image.new("RGB", (9, 7)).save(outgoing / "photo.jpg")
    with listening(fake) as address:
        (tmp_path / "c.toml").write_text(f'[archives.lab]\nurl = "{address}{fake.base}"\nkind = "google"\n')
        typed.flags = ["--config", str(tmp_path / "c.toml"), "--storage-class", "coldline", "--json"]
        assert typed("store", "lab", outgoing / "other") == 0
        assert any("is kept so" in note for note in typed.json["notes"])
        assert typed("store", "lab", outgoing / "photo.jpg", "--send-json", "--metadata", "PatientID=P1") == 0
        assert set(fake.kept_as.values()) == {"COLDLINE"}
        kinds = [asked.headers["content-type"].split('"')[1] for asked in fake.requests if asked.method == "POST"]
        assert kinds == ["application/dicom", "application/dicom+json"]
        fake.classes = "refused"
        assert typed("store", "lab", outgoing / "1.dcm") == 1
        assert "did not store with storage_class COLDLINE (400)" in typed.err
    assert len(fake.store.instances) == 2


@pytest.mark.parametrize(("status", "code"), [(401, 3), (403, 3), (500, 1), (404, 1)])
def test_an_archive_that_declines_or_breaks(typed: Typed, pacs: Fake, status: int, code: int) -> None:
    pacs.fail(status, times=100)
    assert typed("search", "pacs") == code
    assert typed.out == ""
    assert typed.err.startswith("dicomweb-mcp: Archive pacs: ")
    assert typed.err.count("\n") == 1


def test_instances_that_remain_are_status_1(typed: Typed, pacs: Fake, outgoing: Path) -> None:
    assert typed("store", "pacs", outgoing / "1.dcm") == 0
    pacs.store.drop = lambda _: None  # type: ignore[method-assign]
    assert typed("delete", "pacs", "--instance", "1.2.3.1", "--yes", "--json") == 1
    assert (typed.json["deleted"], typed.json["remaining"]) == (0, 1)


# ---- wrong usage and permission --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["search", "nope"], 2, "There is no archive 'nope'. Configured: mine."),
        (["search", "mine", "PatientID"], 2, "'PatientID' is not Keyword=value."),
        (["search", "mine", "PatientID=1", "series"], 2, "'series' is not Keyword=value."),
        (["search", "mine", "--study", "1.2"], 2, "--study is for series and instances"),
        (["search", "mine", "Modalty=CT"], 2, "Did you mean Modality?"),
        (["search", "mine", "--limit", "0"], 2, "limit=0"),
        (["search", "mine", "--limit", "x"], 2, "invalid int value"),
        (["search", "mine", "--lim", "1"], 2, "unrecognized arguments"),
        (["search"], 2, "ARCHIVE"),
        (["serach", "mine"], 2, "there is no command 'serach'; did you mean search? Commands: serve, demo, check, search, "
         "store, retrieve, copy, delete"),
        (["zzz"], 2, "there is no command 'zzz'. Commands: serve, demo, check, search"),
        (["store", "mine"], 2, "PATH"),
        (["store", "mine", "nowhere.dcm"], 2, "nowhere.dcm' names nothing"),
        (["store", "mine", ""], 2, "A path is empty"),
        (["store", "mine", "x.png", "--metadata", "Modality"], 2, "'Modality' is not Keyword=value."),
        (["store", "mine", "x", "--http", "127.0.0.1:1"], 2, "--http does not belong to store"),
        (["store", "mine", ".", "--storage-class", "COLDLINE"], 2, "mine is of kind folder: leave it out. Nothing was"),
        (["retrieve", "mine", "--to", "in"], 2, "Give --study, --series or --instance."),
        (["retrieve", "mine", "--study", "1.2"], 2, "--to"),
        (["retrieve", "mine", "--instance", "1.2", "--frames", "0", "--to", "in"], 2, "no list of numbers from 1"),
        (["retrieve", "mine", "--study", "9.9", "--to", "in"], 1, "has no study"),
        (["copy", "mine"], 2, "TO"),
        (["copy", "mine", "nope", "--study", "1.2"], 2, "There is no archive 'nope'. Configured: mine."),
        (["copy", "mine", "mine"], 2, "Give --study, --series or --instance."),
        (["copy", "mine", "mine", "--study", "1.2"], 2, "are the same archive, mine"),
        (["delete", "mine"], 2, "Give --study, --series or --instance."),
        (["delete", "mine", "--study", "9.9", "--yes"], 1, "has nothing at study 9.9"),
        (["delete", "mine", "--study", "1.2/../3", "--yes"], 2, "is not a UID"),
        (["search", "mine", "--archive", "nonsense"], 2, "NAME=URL or NAME=FOLDER"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_on_stderr(
    typed: Typed, mine: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, says: str
) -> None:
    monkeypatch.chdir(mine.parent)
    assert typed(*arguments) == status
    assert says in typed.err
    assert typed.out == ""
    assert "Traceback" not in typed.err


@pytest.mark.parametrize("arguments", [["store", "idc", "1.dcm"], ["delete", "idc", "--study", "1.2", "--yes"]])
def test_idc_stays_as_it_is(
    typed: Typed, outgoing: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(outgoing)
    typed.flags = ["--archive", "idc"]
    assert typed(*arguments) == 3
    assert "can only be read" in typed.err


@pytest.mark.parametrize("name", ["search", "store", "retrieve", "copy", "delete"])
def test_the_exit_codes_are_in_the_help(typed: Typed, name: str) -> None:
    assert typed(name, "--help") == 0
    for code in ("0 ", "1 ", "2 ", "3 ", "130 "):
        assert f"\n  {code}" in typed.out
    assert typed("--help") == 0
    assert f"\n  {name} " in typed.out
