"""A disk that takes no more: a clear error, every file under its name whole, no part of another left behind."""

import errno
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydicom import dcmread

from archives.folder_helpers import SAMPLES, make_file
from dicomweb_mcp.services.retrieve import part
from dicomweb_mcp.services.retrieve.folder import Folder, NotWritten
from fakes.store import Held, Store
from services.retrieve.helpers import Serving, due, fetched, found, outcomes

pytestmark = pytest.mark.anyio
STUDY, SERIES = "1.2", "1.2.1"


def members(tmp_path: Path, sizes: list[int]) -> list[Held]:
    return [Held(file=make_file(tmp_path / f"{n}.dcm", STUDY, SERIES, f"{SERIES}.{n}", PixelData=bytes(size)))
            for n, size in enumerate(sizes)]  # fmt: skip


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
sys.path[:0] = {path!r}
import anyio
from pathlib import Path
from fakes.store import Store
from services.retrieve.helpers import Serving, fetched
files = [Path(name) for name in {files!r}]
async def run():
    await fetched(Serving(Store.files(*files)), "dcm4chee", Path({root!r}), study_uid="1.2")
try:
    anyio.run(run)
except Exception as problem:
    print(type(problem).__name__, problem)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits on the size of files are POSIX's")
async def test_a_system_that_takes_no_more(tmp_path: Path) -> None:
    """The third file is larger than this process may write, and the fourth may come before that is known; afterwards a
    run without the limit goes on from there."""
    held, root = members(tmp_path, [100, 1_000, 300_000, 100]), tmp_path / "root"
    root.mkdir()
    files = [str(tmp_path / f"{n}.dcm") for n in range(4)]
    program = LIMITED.format(path=sys.path, files=files, root=str(root))
    run = await anyio.run_process([sys.executable, "-c", program], check=False)
    kept = found(root / "in")
    assert kept in (due(*held[:2]), due(held[0], held[1], held[3]))
    said = f"NotWritten The disk is full. {len(kept)} files were retrieved and are whole"
    assert run.stdout.decode().startswith(said), run
    again = await fetched(Serving(Store().hold(held)), "dcm4chee", root, study_uid=STUDY)
    assert outcomes(again) == {"already_there": len(kept), "retrieved": 4 - len(kept)}
    assert found(root / "in") == due(*held)


async def test_a_disk_that_is_full_when_a_file_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    root.mkdir()

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(part.os, "fsync", full)
    with pytest.raises(NotWritten, match=r"The disk is full. 0 files were retrieved .* call this again"):
        await fetched(Serving(Store().hold(members(tmp_path, [10, 10]))), "dcm4chee", root, study_uid=STUDY)
    assert found(root) == {}


async def test_what_cannot_fit_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Decompressed, its pixels need more than is free: Rows x Columns x bits x samples x frames."""
    image = {"Rows": 1_000, "Columns": 1_000, "BitsAllocated": 16, "SamplesPerPixel": 1, "NumberOfFrames": 500}
    made = make_file(tmp_path / "a.dcm", STUDY, SERIES, "1.2.1.1", **image)
    root, fake = tmp_path / "root", Serving(Store.files(made))
    root.mkdir()
    monkeypatch.setattr(Folder, "free", 999_999_999)
    with pytest.raises(NotWritten, match=r"About 1.0 GB are needed and 1.0 GB are free there. Nothing was fetched"):
        await fetched(fake, "dcm4chee", root, study_uid=STUDY, as_stored=False)
    assert fake.files_asked == []
    monkeypatch.setattr(Folder, "free", 1_000_000_000)
    await fetched(fake, "dcm4chee", root, study_uid=STUDY, as_stored=False)
    assert fake.files_asked != []


@pytest.mark.parametrize(("name", "is_refused"), [("CT_small.dcm", True), ("SC_rgb_rle.dcm", False)])
async def test_what_cannot_fit_as_it_is_stored_is_not_begun_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_refused: bool
) -> None:
    """Only where the archive says that the pixels are not compressed: nobody knows how small the others are."""
    data = dcmread(SAMPLES / name)
    fake = Serving(Store.shipped(name))
    monkeypatch.setattr(Folder, "free", len(data.pixel_array.tobytes()) - 1)
    if is_refused:
        with pytest.raises(NotWritten, match=r"are free there. Nothing was fetched"):
            await fetched(fake, "dcm4chee", tmp_path, study_uid=data.StudyInstanceUID)
        assert fake.files_asked == []
    else:
        result = await fetched(fake, "dcm4chee", tmp_path, study_uid=data.StudyInstanceUID)
        assert outcomes(result) == {"retrieved": 1}


@pytest.mark.skipif(sys.platform != "linux" or not hasattr(os, "geteuid") or os.geteuid() != 0, reason="mounts a disk")
async def test_a_disk_that_fills_up_among_files(tmp_path: Path) -> None:
    """A real small disk: what was retrieved is whole, and a run with more room goes on from there."""
    held, root = members(tmp_path, [300_000] * 6), tmp_path / "root"
    root.mkdir()
    mounted = await anyio.run_process(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(root)], check=False)
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    try:
        with pytest.raises(NotWritten, match=r"The disk is full. (\d) files were retrieved and are whole") as problem:
            await fetched(Serving(Store().hold(held)), "dcm4chee", root, study_uid=STUDY)
        kept = found(root / "in")
        assert kept.items() <= due(*held).items()
        assert f" {len(kept)} files" in str(problem.value)
        assert 1 <= len(kept) <= 3
        await anyio.run_process(["mount", "-o", "remount,size=8m", str(root)])
        again = await fetched(Serving(Store().hold(held)), "dcm4chee", root, study_uid=STUDY)
        assert outcomes(again) == {"already_there": len(kept), "retrieved": 6 - len(kept)}
        assert found(root / "in") == due(*held)
    finally:
        await anyio.run_process(["umount", str(root)])


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs modes that count, and no superuser")
async def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "in").mkdir(parents=True)
    (root / "in").chmod(0o500)
    with pytest.raises(NotWritten, match="cannot be used: Permission denied"):
        await fetched(Serving(Store().hold(members(tmp_path, [10]))), "dcm4chee", root, study_uid=STUDY)
