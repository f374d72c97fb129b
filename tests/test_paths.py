"""Files of others are opened where they are said to be, and nowhere else."""

import os
import threading
import time
from pathlib import Path

import pytest

from dicomweb_mcp import paths
from dicomweb_mcp.paths import NotRegular, open_regular, write_whole


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "root" / "inner"
    made.mkdir(parents=True)
    (made / "x").write_bytes(b"inside")
    return made


def test_a_regular_file_is_opened(folder: Path) -> None:
    with open_regular(folder / "x") as file:
        assert file.read() == b"inside"


def test_without_holding_folders_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "_FOLDERS_CAN_BE_HELD", False)
    with open_regular(folder / "x") as file:
        assert file.read() == b"inside"
    with pytest.raises(NotRegular):
        open_regular(folder)


def test_what_is_no_regular_file(folder: Path) -> None:
    with pytest.raises(NotRegular):
        open_regular(folder)
    with pytest.raises(FileNotFoundError):
        open_regular(folder / "none")
    if os.name != "nt":
        (folder / "link").symlink_to(folder / "x")
        with pytest.raises(NotRegular):
            open_regular(folder / "link")


@pytest.mark.skipif(not paths._FOLDERS_CAN_BE_HELD, reason="folders cannot be held open here")
def test_a_folder_that_becomes_a_link_meanwhile_leads_nowhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = folder.parents[1] / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"outside")
    path = folder / "x"
    real = os.path.realpath

    def exchanged(checked: Path) -> str:
        """The folder is exchanged right after it was looked at."""
        found = real(checked)
        folder.rename(folder.parent / "away")
        folder.symlink_to(outside)
        return found

    monkeypatch.setattr(os.path, "realpath", exchanged)
    with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
        open_regular(path)


@pytest.mark.skipif(not paths._FOLDERS_CAN_BE_HELD, reason="folders cannot be held open here")
def test_nothing_outside_is_read_while_folders_are_exchanged_all_the_time(folder: Path) -> None:
    outside = folder.parents[1] / "outside"
    outside.mkdir()
    (outside / "x").write_bytes(b"outside")
    stop = threading.Event()

    def exchange() -> None:
        away = folder.parent / "away"
        while not stop.is_set():
            folder.rename(away)
            folder.symlink_to(outside)
            folder.unlink()
            away.rename(folder)
            time.sleep(0.0005)  # so that some of the tries find the folder in its place

    thread = threading.Thread(target=exchange)
    thread.start()
    opened = 0
    try:
        for _ in range(3_000):
            try:
                with open_regular(folder / "x") as file:
                    assert file.read() == b"inside"
                    opened += 1
            except OSError:
                continue
    finally:
        stop.set()
        thread.join()
    assert opened > 0


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
@pytest.mark.parametrize("hard_links", [True, False])
def test_a_new_file_never_takes_the_place_of_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    """Also where there are no hard links, and also not of a link that leads nowhere."""

    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    if not hard_links:
        monkeypatch.setattr(os, "link", no_links)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("file", "link"):
        with pytest.raises(FileExistsError):
            write_whole(tmp_path / name, [b"other"])
    write_whole(tmp_path / "new", [b"a", b"b"])
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "new").read_bytes() == b"ab"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "new"]
