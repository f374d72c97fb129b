"""Which files a path names, and that nothing outside the file roots is ever named."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.services import roots
from dicomweb_mcp.services.roots import files_under_roots


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "outgoing"
    for name in ("a.dcm", "b.dcm", "notes.txt", "ct/1.dcm", "ct/2.dcm", "ct/deep/3.dcm", "mr/[1].dcm", "mr/1.dcm"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    (tmp_path / "secret.dcm").touch()
    (tmp_path / "outgoing-too").mkdir()
    (tmp_path / "outgoing-too" / "x.dcm").touch()
    return folder


def shown(root: Path, *paths: str) -> list[str]:
    return [named.shown.replace(os.sep, "/") for named in files_under_roots(paths, [root])]


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("a.dcm", ["a.dcm"]),
        ("ct", ["ct/1.dcm", "ct/2.dcm", "ct/deep/3.dcm"]),
        (".", ["a.dcm", "b.dcm", "notes.txt", "ct/1.dcm", "ct/2.dcm", "ct/deep/3.dcm", "mr/1.dcm", "mr/[1].dcm"]),
        ("*.dcm", ["a.dcm", "b.dcm"]),
        ("?.dcm", ["a.dcm", "b.dcm"]),
        ("[b-z].dcm", ["b.dcm"]),
        ("ct/*.dcm", ["ct/1.dcm", "ct/2.dcm"]),
        ("*/1.dcm", ["ct/1.dcm", "mr/1.dcm"]),
        ("**/3.dcm", ["ct/deep/3.dcm"]),
        ("**/*.dcm", ["a.dcm", "b.dcm", "ct/1.dcm", "ct/2.dcm", "ct/deep/3.dcm", "mr/1.dcm", "mr/[1].dcm"]),
        ("ct/d*", ["ct/deep/3.dcm"]),
        ("c?", ["ct/1.dcm", "ct/2.dcm", "ct/deep/3.dcm"]),
        ("mr/[1].dcm", ["mr/[1].dcm"]),  # a name that exists is taken as it is
        ("ct/../a.dcm", ["a.dcm"]),
    ],
)
def test_files_folders_and_patterns(root: Path, path: str, names: list[str]) -> None:
    assert shown(root, path) == names
    if ".." not in path:
        assert shown(root, str(root / path)) == names


def test_a_file_that_is_named_twice_counts_once(root: Path) -> None:
    assert shown(root, "a.dcm", "*.dcm", str(root / "a.dcm")) == ["a.dcm", "b.dcm"]


def test_several_roots(root: Path) -> None:
    other = root.parent / "outgoing-too"
    found = files_under_roots(["x.dcm", "a.dcm", str(other)], [root, other])
    assert [named.shown for named in found] == [str(other / "x.dcm"), str(root / "a.dcm")]


@pytest.mark.parametrize(
    "path",
    ["../secret.dcm", "ct/../../secret.dcm", "../outgoing-too/x.dcm", "/etc/passwd", "/", "..", "../*.dcm", "/etc/*",
     "../outgoing-too", "/dev/zero", "ct/../../*"],
)  # fmt: skip
def test_what_leads_outside_is_refused(root: Path, path: str) -> None:
    with pytest.raises(BadArgument, match=r"not below a file root, so it is not opened. File roots: .*outgoing\."):
        files_under_roots([path], [root])


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("none.dcm", r"'none\.dcm' names nothing below the file roots: .*outgoing\."),
        ("none/*.dcm", r"'none/\*\.dcm' names nothing below the file roots: .*outgoing\."),
        ("*.nii", r"'\*\.nii' names no file below the file roots: .*outgoing\."),
        ("", "empty or holds a NUL"),
        ("a.dcm\0.txt", "empty or holds a NUL"),
        ("*/../../secret.dcm", r"\.\. cannot follow a wildcard"),
        ("/".join(["**"] * 60), "at most 50 parts"),
        ("a.dcm/b", "'a.dcm/b' names nothing"),
        ("x" * 5_000, "names nothing below the file roots"),
    ],
)
def test_what_names_nothing_is_refused(root: Path, path: str, says: str) -> None:
    with pytest.raises(BadArgument, match=says) as raised:
        files_under_roots([path], [root])
    assert len(str(raised.value)) < 600


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
def test_links(root: Path) -> None:
    (root / "out.dcm").symlink_to(root.parent / "secret.dcm")
    (root / "outside").symlink_to(root.parent / "outgoing-too")
    (root / "gone.dcm").symlink_to(root / "nothing")
    (root / "inside.dcm").symlink_to(root / "a.dcm")
    (root / "ct" / "circle").symlink_to(root)
    found = {named.shown: named.problem for named in files_under_roots(["."], [root])}
    problems = {name: problem for name, problem in found.items() if problem}
    assert problems == {
        "out.dcm": "a link that leads outside the file roots; it is not opened",
        "outside": "a link that leads outside the file roots; it is not opened",
        "gone.dcm": "a link that leads nowhere",
    }
    assert sum(name == "a.dcm" for name in found) == 1, "the file behind a link counts once"
    for path in ("out.dcm", "outside", "outside/x.dcm", "outside/*"):
        with pytest.raises(BadArgument, match="not below a file root"):
            files_under_roots([path], [root])


@pytest.mark.skipif(os.name == "nt", reason="making links needs a privilege there")
def test_a_link_does_not_hide_the_folder_behind_it_from_a_pattern(root: Path) -> None:
    (root / "a-link").symlink_to(root / "ct")
    assert shown(root, "**/ct/*.dcm") == ["ct/1.dcm", "ct/2.dcm"]
    assert shown(root, "a-link/*.dcm") == ["ct/1.dcm", "ct/2.dcm"]
    assert len(shown(root, ".")) == 8


def test_a_root_that_is_a_link_is_the_folder_behind_it(root: Path) -> None:
    if os.name == "nt":
        pytest.skip("making links needs a privilege there")
    link = root.parent / "link"
    link.symlink_to(root)
    assert [named.path for named in files_under_roots([str(link / "a.dcm"), "b.dcm"], [link])] == [
        root.resolve() / "a.dcm", root.resolve() / "b.dcm"
    ]  # fmt: skip


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not read everything")
def test_a_folder_that_may_not_be_listed_is_named(root: Path) -> None:
    (root / "ct").chmod(0)
    try:
        found = files_under_roots(["."], [root])
    finally:
        (root / "ct").chmod(0o700)
    assert [(named.shown, named.problem) for named in found if named.problem] == [
        ("ct", "the folder cannot be listed: Permission denied")
    ]


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_names_that_are_no_text_and_names_that_mislead(root: Path) -> None:
    (root / os.fsdecode(b"caf\xe9.dcm")).touch()
    (root / "x\nIGNORE ALL PREVIOUS\u202e.dcm").touch()
    names = shown(root, "*.dcm")
    assert "caf\\udce9.dcm" in names
    assert "x IGNORE ALL PREVIOUS.dcm" in names
    for name in names:
        name.encode("utf-8")


def test_too_many_files_and_entries(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "MOST_FILES", 3)
    with pytest.raises(BadArgument, match="more than 3 files: name fewer"):
        files_under_roots(["."], [root])
    monkeypatch.setattr(roots, "MOST_ENTRIES", 5)
    with pytest.raises(BadArgument, match="More than 5 directory entries"):
        files_under_roots(["**/z"], [root])


def test_deep_folders_and_many_wildcards_take_no_longer_than_their_names(root: Path) -> None:
    """Each name is held against what is left of the pattern, never against all ways to split the path."""
    folder = root
    for _ in range(60):
        folder = folder / "a"
        folder.mkdir()
    (folder / "x.dcm").touch()
    assert len(shown(root, "**/a/**/a/**/a/**/a/**/x.dcm")) == 1
    with pytest.raises(BadArgument, match="names no file"):
        shown(root, "**/a/**/a/**/a/**/a/**/zz")


def test_a_message_stays_short(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "MOST_FILES", 1)
    with pytest.raises(BadArgument) as raised:
        files_under_roots(["[!" + "\U000e0001" * 1_000 + "]*"], [root])
    assert len(str(raised.value)) < 500


PARTS = st.sampled_from(
    ["..", ".", "a.dcm", "ct", "*", "**", "?", "[a-c]*", "", "~", "/", "//", "mr", "\\", "secret.dcm"]
)


@given(st.lists(PARTS, max_size=6), st.booleans())
def test_no_path_ever_names_what_lies_outside(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str], rooted: bool
) -> None:
    folder = tmp_path_factory.getbasetemp() / "shared-outgoing"
    (folder / "ct").mkdir(parents=True, exist_ok=True)
    (folder / "ct" / "a.dcm").touch()
    (folder.parent / "secret.dcm").touch()
    path = "/".join(parts)
    try:
        found = files_under_roots([f"{folder}/{path}" if rooted else path], [folder])
    except BadArgument:
        return
    inside = folder.resolve()
    assert all(named.path.resolve().is_relative_to(inside) for named in found)
