"""What the project says of itself agrees: versions, the registry's schema, the README's table of tools."""

import json
import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest

from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import Settings, load

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SERVER = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))


CONDITIONS = {
    "retrieve_instances": "Offered with a file root.",
    "copy_instances": "Offered with two archives, one of which permits storing.",
    "delete_instances": "Offered where an archive permits deleting.",
}


def test_server_json_passes_the_registrys_schema() -> None:
    schema = json.loads((ROOT / "tests/data/registry/server.schema.2025-12-11.json").read_text(encoding="utf-8"))
    assert SERVER["$schema"] == schema["$id"]
    jsonschema.Draft7Validator(schema).validate(SERVER)
    broken = {**SERVER, "description": "x" * 101}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(schema).validate(broken)


def test_versions_and_names_agree() -> None:
    assert PROJECT["version"] == version("dicomweb-mcp") == SERVER["version"]
    assert {package["version"] for package in SERVER["packages"]} == {PROJECT["version"]}
    assert {package["identifier"] for package in SERVER["packages"]} == {PROJECT["name"]}
    assert f"mcp-name: {SERVER['name']}" in README
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


async def test_the_table_of_tools_is_what_is_offered(tmp_path: Path) -> None:
    """The table in the README is generated: UPDATE_GOLDEN=1 writes it anew."""
    at_once = {tool.name for tool in await build(App(load(environment={}))).list_tools()}
    all_permitted = Settings.model_validate({
        "archives": [{"name": name, "path": tmp_path, "permit": ["store", "delete"]} for name in ("one", "two")],
        "files": {"roots": [tmp_path]},
    })  # fmt: skip
    rows = ["| tool | what it does |", "|---|---|"]
    for tool in await build(App(all_permitted)).list_tools():
        first = (tool.description or "").partition("\n\n")[0].replace("\n", " ")
        condition = "" if tool.name in at_once else f" *{CONDITIONS[tool.name]}*"
        rows.append(f"| `{tool.name}` | {first}{condition} |")
    assert at_once <= {tool.name for tool in await build(App(all_permitted)).list_tools()}
    table = "\n".join(rows)
    written = re.sub(r"(?<=<!-- tools -->\n).*?(?=\n<!-- /tools -->)", lambda _: table, README, flags=re.DOTALL)
    if os.environ.get("UPDATE_GOLDEN"):
        (ROOT / "README.md").write_text(written, encoding="utf-8")
    assert table in README, "the tools changed: look at them, then run with UPDATE_GOLDEN=1"


def test_links_of_the_readme_and_the_docs_lead_somewhere() -> None:
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]:
        for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_the_lock_is_pinned_by_hash_and_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    assert "index" not in lock.replace("idc-index-data==", "")
    pinned = {re.match(r"([A-Za-z0-9_.-]+)==", line)[1] for line in lock.splitlines() if re.match(r"[A-Za-z]", line)}
    for dependency in [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["idc"]]:
        assert re.split(r"[<>=]", dependency)[0] in pinned
    requirements = re.split(r"\n(?=[A-Za-z])", lock)
    assert all("--hash=sha256:" in requirement for requirement in requirements if "==" in requirement)
