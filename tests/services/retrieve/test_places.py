"""Where files may lie: PatientIDs of any kind, folders below the file roots and nowhere else."""

import os
import string
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archives.folder_helpers import make_file
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.paths import PART_SUFFIX
from dicomweb_mcp.services.retrieve.folder import NotWritten, opened_folder
from dicomweb_mcp.services.retrieve.names import marked_name, plain_name
from fakes.store import Held, Store
from services.retrieve.helpers import Serving, fetched, found, outcomes, reasons

pytestmark = pytest.mark.anyio
STUDY, SERIES = "1.2", "1.2.1"
HOSTILE = [
    "..", ".", "../../etc", "/etc/passwd", "a/b", "a\\b", "C:\\x", "con", "NUL", "com1.txt", "LPT9", "aux.", "dots...",
    "blank ", " blank", "", "-rf", "~", "new\nline", "nul\0", "tab\t", "x" * 300, "y" * 300 + "1", "\u202egpj", "é", "e\u0301",
    "*", "?", "a:stream", "$HOME", "`id`", "\x1b[31m", ".hidden", "日本", "\ud800", ".dicomweb-mcp-part",
]  # fmt: skip
SAFE = set(string.ascii_letters + string.digits + "_ .()+-~")
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    "conin$",
    "conout$",
    *(f"{name}{n}" for name in ("com", "lpt") for n in "0123456789¹²³"),
}


def is_fit(name: str) -> bool:
    """Written anew from what Windows documents on names, and what a shell or a listing could misread."""
    return (
        0 < len(name) <= 100
        and set(name) <= SAFE
        and name[0] not in ".-~ "
        and name[-1] not in ". "
        and name.split(".")[0].rstrip().casefold() not in RESERVED
    )


@pytest.mark.parametrize("patient_id", HOSTILE)
def test_a_hostile_patient_id_is_a_harmless_name_of_its_own(patient_id: str) -> None:
    assert is_fit(plain_name(patient_id)), plain_name(patient_id)
    names = [plain_name(other).casefold() for other in HOSTILE]
    assert names.count(plain_name(patient_id).casefold()) == 1


@pytest.mark.parametrize("patient_id", ["LIDC-IDRI-0001", "TCGA-3C-AALI", "12345", "P 1 (b)", "a.b_c+d"])
def test_an_ordinary_patient_id_is_its_own_name(patient_id: str) -> None:
    assert plain_name(patient_id) == patient_id


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_two_patients_share_a_name(one: str, other: str) -> None:
    for text in (one, other):
        assert is_fit(plain_name(text))
        assert is_fit(marked_name(text))
    if one != other:
        names = {plain_name(one), marked_name(one)}, {plain_name(other), marked_name(other)}
        assert not names[0] & names[1]


def held(tmp_path: Path, number: int, patient_id: str, study: str | None = None) -> Held:
    study = study or f"1.2.{number}"
    return Held(
        file=make_file(tmp_path / f"{number}.dcm", study, f"{study}.1", f"{study}.1.{number}", PatientID=patient_id)
    )


async def test_patients_that_differ_in_case_alone_do_not_share_a_folder(tmp_path: Path) -> None:
    patients = ["Abc", "ABC", "abc"]
    store = Store().hold([held(tmp_path / "there", n, patient, "1.2") for n, patient in enumerate(patients)])
    root = tmp_path / "root"
    root.mkdir()
    result = await fetched(Serving(store), "dcm4chee", root, study_uid="1.2")
    assert outcomes(result) == {"retrieved": 3}
    folders = [path.name for path in (root / "in").iterdir()]
    assert len({name.casefold() for name in folders}) == 3
    assert {patient for patient in patients if patient in folders}, "one of them has its own name"
    again = await fetched(Serving(store), "dcm4chee", root, study_uid="1.2")
    assert outcomes(again) == {"already_there": 3}


async def test_hostile_patient_ids_stay_inside(tmp_path: Path) -> None:
    """As they come in files: what a data set can hold of them."""
    possible = ["..", "../../up", "a/b", "new\nline", "x" * 300, "z" * 2_000 + "1", "z" * 2_000 + "2", "", "con"]
    members = [held(tmp_path / "there", n, patient, "1.2") for n, patient in enumerate(possible)]
    root = tmp_path / "root"
    root.mkdir()
    result = await fetched(Serving(Store().hold(members)), "dcm4chee", root, study_uid="1.2")
    assert outcomes(result) == {"retrieved": len(possible)}
    there = found(root)
    assert sorted(there.values()) == sorted(one.file() for one in members)
    assert all(path.startswith("in/") and path.count("/") == 4 for path in there)
    assert len({path.split("/")[1] for path in there}) == len(possible)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "there"]


@pytest.mark.parametrize(
    ("directory", "says"),
    [
        ("..", "not below a file root"),
        ("../other", "not below a file root"),
        ("/etc", "not below a file root"),
        ("in/../../other", "not below a file root"),
        ("link", "not below a file root"),
        ("link/deeper", "not below a file root"),
        ("file", "is no folder"),
        ("file/deeper", "is no folder"),
        ("a\nb", "cannot be seen"),
        ("a\0b", "cannot be seen"),
        (" ", "is empty"),
        ("con", "on every system"),
        ("in/nul.txt/x", "on every system"),
        ("x" * 300, "on every system"),
        ("dots.", "on every system"),
        ("a:b", "on every system"),
    ],
)  # fmt: skip
async def test_a_directory_outside_or_without_a_fit_name_is_refused(tmp_path: Path, directory: str, says: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (root / "link").symlink_to(outside)
    (root / "file").write_bytes(b"")
    fake = Serving(Store().hold([held(tmp_path / "there", 1, "P1")]))
    with pytest.raises(BadArgument, match=says):
        await fetched(fake, "dcm4chee", root, directory, study_uid="1.2.1")
    assert fake.requests == []
    assert sorted(path.name for path in root.iterdir()) == ["file", "link"]
    assert list(outside.iterdir()) == []


def test_a_directory_is_made_below_the_first_root_and_a_link_within_is_followed(tmp_path: Path) -> None:
    root = tmp_path.resolve()
    (root / "real").mkdir()
    (root / "alias").symlink_to(root / "real")
    assert opened_folder("new/deeper one", [root]).path == root / "new/deeper one"
    assert opened_folder("alias/x", [root]).path == root / "real/x"
    assert opened_folder(".", [root]).path == root
    assert (root / "real/x").is_dir()
    with pytest.raises(BadArgument, match="is not there"):
        opened_folder("x", [root / "away"])
    assert not (root / "away").exists()


@pytest.mark.parametrize("level", ["P1", "P1/1.2.1", "P1/1.2.1/1.2.1.1"])
@pytest.mark.parametrize("kind", ["link", "file"])
async def test_what_stands_in_the_way_is_never_followed_out(tmp_path: Path, level: str, kind: str) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.mkdir()
    way = root / "in" / level
    way.parent.mkdir(parents=True)
    way.symlink_to(outside) if kind == "link" else way.write_bytes(b"mine")
    fake = Serving(Store().hold([held(tmp_path / "there", 1, "P1")]))
    result = await fetched(fake, "dcm4chee", root, study_uid="1.2.1")
    assert outcomes(result) == {"failed": 1}
    assert "cannot be placed" in reasons(result)["1.2.1.1.1"]
    assert list(outside.iterdir()) == []
    assert [path for path in (root / "in").rglob("*") if path.name.endswith(PART_SUFFIX)] == []
    if kind == "file":
        assert way.read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="folders can be held on Linux alone")
@pytest.mark.parametrize("call", ["link", "mkdir"])
@pytest.mark.parametrize("level", ["P1", "P1/1.2.1", "P1/1.2.1/1.2.1.1"])
async def test_a_folder_that_becomes_a_link_at_the_last_moment_leads_nothing_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: str, call: str
) -> None:
    """Somebody exchanges it between the look at it and the making of what lies in it."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    way, really = root / "in" / level, getattr(os, call)

    def exchanged(*args: Any, **more: Any) -> None:
        if way.is_dir() and not way.is_symlink():
            way.rename(tmp_path / "aside")
            way.symlink_to(outside)
        really(*args, **more)

    monkeypatch.setattr(os, call, exchanged)
    fake = Serving(Store().hold([held(tmp_path / "there", n, "P1", "1.2.1") for n in (1, 2)]))
    await fetched(fake, "dcm4chee", root, study_uid="1.2.1")
    assert (tmp_path / "aside").exists() or call == "mkdir"
    assert list(outside.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have names in a folder on POSIX systems alone")
async def test_links_and_pipes_under_the_name_of_a_file_are_not_opened(tmp_path: Path) -> None:
    root, members = tmp_path / "root", [held(tmp_path / "there", n, "P1", "1.2") for n in (1, 2)]
    folder = root / "in/P1/1.2/1.2.1"
    folder.mkdir(parents=True)
    (folder / "1.2.1.1.dcm").symlink_to(tmp_path / "there/1.dcm")
    os.mkfifo(folder / "1.2.1.2.dcm")
    result = await fetched(Serving(Store().hold(members)), "dcm4chee", root, study_uid="1.2")
    assert outcomes(result) == {"different": 2}
    assert (folder / "1.2.1.1.dcm").is_symlink()


async def test_what_others_have_there_hinders_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that lead to themselves, out or nowhere, and folders that may not be looked at."""
    root, really = tmp_path / "root", os.scandir
    shut = root / "in/Private/1.2.1"
    shut.mkdir(parents=True)
    for name, target in {"loop": "loop", "away": "/", "nowhere": "missing"}.items():
        (root / "in" / name).symlink_to(target)
    (root / "in/P2/1.2.1").mkdir(parents=True)
    (root / "in/P2/1.2.1/loop").symlink_to("loop")

    def denied(folder: Any) -> Any:
        if Path(folder) == shut:
            raise PermissionError(13, "Permission denied")
        return really(folder)

    monkeypatch.setattr(os, "scandir", denied)
    fake = Serving(Store().hold([held(tmp_path / "there", 1, "P1")]))
    assert outcomes(await fetched(fake, "dcm4chee", root, study_uid="1.2.1")) == {"retrieved": 1}


async def test_a_folder_that_may_not_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(_: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    fake = Serving(Store().hold([held(tmp_path / "there", 1, "P1")]))
    with pytest.raises(NotWritten, match="cannot be used: Permission denied"):
        await fetched(fake, "dcm4chee", tmp_path, study_uid="1.2.1")
    assert fake.files_asked == []


async def test_a_link_within_the_folder_is_a_folder_like_others(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in/P2/kept").mkdir(parents=True)
    (root / "in/P1/1.2.1").mkdir(parents=True)
    (root / "in/P1/1.2.1/1.2.1.1").symlink_to(root / "in/P2/kept")
    fake = Serving(Store().hold([held(tmp_path / "there", 1, "P1")]))
    assert outcomes(await fetched(fake, "dcm4chee", root, study_uid="1.2.1")) == {"retrieved": 1}
    assert list(found(root)) == ["in/P2/kept/1.2.1.1.1.dcm"]
    assert outcomes(await fetched(fake, "dcm4chee", root, study_uid="1.2.1")) == {"already_there": 1}


def test_parts_of_a_run_that_was_killed_long_ago_go(tmp_path: Path) -> None:
    folder = opened_folder("in", [tmp_path.resolve()])
    old, new, other = folder.new_part(), folder.new_part(), folder.path / f"mine{PART_SUFFIX}"
    for path in (old, new, other):
        path.write_bytes(b"x")
    for path in (old, other):
        os.utime(path, (1, 1))
    folder.forget_parts()
    assert sorted(folder.path.iterdir()) == sorted([new, other])
