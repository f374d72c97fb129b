"""The house of docs/development.md: a room imports from lower floors only, and from no other room of its own floor."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "dicomweb_mcp"
FLOORS = {
    "__init__": -2, "errors": -1, "paths": -1,  # the ground that every room stands on
    "settings": 0,
    "dicom": 1,
    "archives": 2, "pixels": 2, "idc": 2,
    "services": 3,
    "tools": 4, "prompts": 4,
    "server": 5,
    "cli": 6, "__main__": 7,
}  # fmt: skip
# What only some rooms may use: the protocol's SDK above the services, the network in the archives alone.
CONFINED = {
    "mcp": {"tools", "prompts", "server", "cli"},
    "httpx": {"archives"},
    "msgspec": {"archives", "dicom"},
    "sqlite3": {"archives"},
    "highdicom": {"dicom"},
    "pypdf": {"dicom"},
    "numpy": {"pixels"},
    "PIL": {"pixels"},
    "imagecodecs": {"pixels"},
    "duckdb": {"idc"},
    "idc_index_data": {"idc"},
    "rich": {"cli"},
}


def rooms() -> list[tuple[Path, str]]:
    files = sorted(PACKAGE.rglob("*.py"))
    return [(path, path.relative_to(PACKAGE).parts[0].removesuffix(".py")) for path in files]


@cache
def imported(path: Path) -> set[str]:
    """Absolute names of everything a file imports, also inside functions and for type checking."""
    package = ["dicomweb_mcp", *path.relative_to(PACKAGE).parent.parts]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return found


def test_imports_run_downward() -> None:
    upward = []
    for path, room in rooms():
        for name in imported(path):
            parts = name.split(".")
            if parts[0] != "dicomweb_mcp":
                continue
            other = parts[1] if parts[1] in FLOORS else "__init__"
            if other != room and FLOORS[other] >= FLOORS[room]:
                upward.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert upward == []


def test_what_is_confined_stays_in_its_rooms() -> None:
    strayed = []
    for path, room in rooms():
        for name in imported(path):
            allowed = CONFINED.get(name.split(".")[0])
            if allowed is not None and room not in allowed:
                strayed.append(f"{path.relative_to(PACKAGE)} imports {name}")
    assert strayed == []


def test_every_room_has_a_floor() -> None:
    assert {room for _, room in rooms()} <= set(FLOORS)


@pytest.mark.parametrize(
    "name",
    [
        "pydicom",
        "httpx",
        "msgspec",
        "numpy",
        "PIL",
        "imagecodecs",
        "highdicom",
        "pypdf",
        "google.auth",
        "duckdb",
        "idc_index_data",
    ],
)
def test_a_start_does_not_pay_for(name: str) -> None:
    """Building the server imports the SDK and nothing heavy of our own."""
    assert "mcp" in at_start()
    assert name not in at_start()


@cache
def at_start() -> list[str]:
    """What a new process has imported when its server is built."""
    program = (
        "import sys; from dicomweb_mcp.server import build; from dicomweb_mcp.services.app import App; "
        "from dicomweb_mcp.settings import load; "
        "build(App(load(archives=['idc', 'lab=gcp:p/l/d/s'], environment={}))); print(*sys.modules)"
    )
    return subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, stdout=subprocess.PIPE, text=True
    ).stdout.split()
