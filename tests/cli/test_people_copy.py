"""copy as a person types it: the answers, the files, the exit codes."""

import shutil
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from archives.folder_helpers import make_file
from cli.typed import Asking, Typed, instances
from dicomweb_mcp.services import transfer
from fakes.store import SHIPPED


@pytest.fixture
def two(outgoing: Path, mine: Path, typed: Typed) -> None:
    """An archive "here", which has everything, and an empty one, "Mine"; neither permits anything."""
    shutil.copy(SHIPPED / "CT_small.dcm", outgoing)
    typed.flags = ["--archive", f"here={outgoing}", "--archive", f"Mine={mine}"]


def values(folder: Path) -> dict[str, Dataset]:
    found = map(dcmread, folder.rglob("*.dcm"))
    return {data.SOPInstanceUID: data for data in found}


@pytest.mark.usefixtures("two")
def test_copying_needs_no_other_permission_than_the_command(typed: Typed, outgoing: Path, mine: Path) -> None:
    ct = dcmread(outgoing / "CT_small.dcm").StudyInstanceUID
    assert typed("copy", "here", "mine", "--study", ct, "--dry-run", "--json") == 0
    assert (typed.json["archive"], typed.json["to_store"], instances(mine)) == ("Mine", 1, set())
    assert typed("copy", "HERE", "mine", "--study", ct) == 0
    assert "stored: 1" in typed.out.splitlines()
    assert typed("copy", "here", "Mine", "--series", "1.2.3", "--json") == 0
    assert (typed.json["stored"], typed.json["studies"]) == (3, {"1.2": 3})
    assert typed("copy", "here", "mine", "--instance", "1.2.3.1", "--instance", "1.5.3.4", "--json") == 0
    assert (typed.json["stored"], typed.json["already_there"]) == (1, 1)
    copied, originals = values(mine), values(outgoing)
    assert len(originals) == 5
    assert copied == originals  # with their pixels
    assert copied.keys() == instances(outgoing)


@pytest.mark.usefixtures("two")
def test_much_is_copied_after_a_question(
    typed: Typed, mine: Path, terminal: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "MOST_UNCONFIRMED", 2)
    copying = "copy", "here", "mine", "--study", "1.2"
    assert typed(*copying, "--json") == 3
    assert (typed.json["to_store"], "Add --yes" in typed.err) == (3, True)
    terminal("n\n")
    assert typed(*copying) == 3
    assert "Copy 3 files (1 study) from the archive here into Mine? [y/N]" in typed.err
    assert instances(mine) == set()
    terminal("y\n")
    assert typed(*copying) == 0
    assert len(instances(mine)) == 3


@pytest.mark.usefixtures("two")
def test_what_was_not_copied_is_status_1(typed: Typed, mine: Path) -> None:
    make_file(mine / "other.dcm", "1.2", "1.2.3", "1.2.3.1", PatientName="Else")
    assert typed("copy", "here", "mine", "--study", "1.2", "--json") == 1
    assert (typed.json["stored"], typed.json["different"]) == (2, 1)
