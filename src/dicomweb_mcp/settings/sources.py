"""Flags, the environment and a TOML file -> ``Settings``."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from .model import (
    CACHE_VARIABLE,
    GOOGLE_HOST,
    GOOGLE_KINDS,
    IDC_PROXY,
    IDC_RELEASE,
    STATE_VARIABLE,
    BadSettings,
    Settings,
    absolute,
    guess_kind,
    is_google,
)

# HOST:PORT or HOST.DOMAIN/..., as somebody writes an address who leaves its scheme out
HOST_ALONE = re.compile(
    r"(?:(?:[a-z0-9][\w.-]*|\[[0-9a-f:.]+\]):[0-9]+(?:/.*)?|[a-z0-9][\w-]*(?:\.[\w-]+)+/.*)", re.IGNORECASE
)
IDC_INDEX = "idc-index-data"  # the package; its version begins with the release

Environment = Mapping[str, str]


def load(
    *,
    archives: Sequence[str] = (),
    config: Path | None = None,
    permits: Sequence[str] = (),
    file_roots: Sequence[Path] = (),
    http: str | None = None,
    environment: Environment = os.environ,
) -> Settings:
    """Settings from the command line's flags, a TOML file (also named by DICOMWEB_MCP_CONFIG) and the environment.

    Archives of the flags come first and replace one of the same name in the file; without any, the archive is ``idc``.

    Raises BadSettings.
    """
    if config is None and environment.get("DICOMWEB_MCP_CONFIG"):
        config = Path(environment["DICOMWEB_MCP_CONFIG"])
    written = _read(config) if config else {}
    tables: dict[str, Any] = {}
    for flag in archives:
        name, table = _archive_flag(flag)
        if name in tables:
            raise BadSettings(f"--archive {name} is given twice: give each its own name.")
        tables[name] = table
    for name, table in _table(written, "archives").items():
        tables.setdefault(name, _expanded(name, table))
    if not tables:
        tables["idc"] = {"url": IDC_PROXY, "kind": "idc"}
    _add_permits(tables, permits)
    for name, table in tables.items():
        if "auth" not in table:
            table["auth"] = _auth_from_environment(name, environment) or _usual_auth(table)
    if unknown := set(written) - {"archives", "files"}:
        raise BadSettings(f"{config}: {sorted(unknown)[0]} is not a setting. Known are [archives.NAME] and [files].")
    files = _table(written, "files")
    if file_roots:
        written_roots = files.get("roots", [])
        if isinstance(written_roots, list):  # what is no list is refused below
            files = {**files, "roots": [*file_roots, *written_roots]}
    return _validated(
        archives=[{"name": name, **table} for name, table in tables.items()],
        files=files,
        http=_http(http) if http else None,
    )


def _validated(**values: Any) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = [part for part in first["loc"] if isinstance(part, str)]
        position = next((part for part in first["loc"] if isinstance(part, int)), None)
        if where[:1] == ["archives"] and position is not None:
            where[0] = f"archive {values['archives'][position]['name']}"
        reason = first["msg"].removeprefix("Value error, ")
        raise BadSettings(": ".join([*where, reason]) + ".") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        text = absolute(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadSettings(f"The configuration {path} cannot be read: {reason}.") from None
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadSettings(f"The configuration {path} is not TOML: {error}.") from None


def _table(written: dict[str, Any], name: str) -> dict[str, Any]:
    table = written.get(name, {})
    if not isinstance(table, dict):
        raise BadSettings(f"{name} in the configuration must be a table: [{name}].")
    return table


def _archive_flag(flag: str) -> tuple[str, dict[str, Any]]:
    """``idc``, ``NAME=https://...``, ``NAME=gcp:PROJECT/LOCATION/DATASET/STORE``, ``NAME=/folder``."""
    name, equals, place = flag.partition("=")
    if not equals:
        if known := _well_known(name):
            return name, known
        raise BadSettings(f"--archive {flag}: give NAME=URL or NAME=FOLDER, or one of the known names idc, idc-google.")
    return name, _place(name, place)


def _place(name: str, place: str) -> dict[str, Any]:
    if not place:
        raise BadSettings(f"--archive {name}=: the address or folder is missing.")
    if place.startswith("gcp:"):
        return {"url": _google_store(place)}
    if re.match(r"[a-z][a-z0-9+.-]+:/", place, re.IGNORECASE):
        return {"url": place}
    if name == "idc-google":
        if not (release := re.fullmatch(r"v([0-9]{1,3})", place)):
            raise BadSettings("--archive idc-google: name a release as v25, or none.")
        return _idc_google(int(release[1]))
    if HOST_ALONE.fullmatch(place) and not os.path.exists(place):  # noqa: PTH110 - Path's raises for some names
        raise BadSettings(f"--archive {name}={place}: there is no such folder; did you mean {name}=http://{place}?")
    return {"path": place}


def _expanded(name: str, written: Any) -> dict[str, Any]:
    """A table of the file, with ``gcp:`` addresses spelled out, folders made absolute and known names filled in."""
    if not isinstance(written, dict):
        raise BadSettings(f"archive {name}: write it as a table, [archives.{name}].")
    table: dict[str, Any] = dict(written)
    if isinstance(table.get("url"), str) and table["url"].startswith("gcp:"):
        table["url"] = _google_store(table["url"])
    if "url" not in table and "path" not in table:
        table = {**(_well_known(name) or {}), **table}
    return table


def _well_known(name: str) -> dict[str, Any] | None:
    if name == "idc":
        return {"url": IDC_PROXY, "kind": "idc"}
    return _idc_google(_newest_release()) if name == "idc-google" else None


def _newest_release() -> int:
    """The release of IDC's index where that is installed, so that both speak of the same data; else the newest one
    when this version was made."""
    try:
        release = metadata.version(IDC_INDEX).partition(".")[0]
    except metadata.PackageNotFoundError:
        return IDC_RELEASE
    return int(release) if release.isdecimal() else IDC_RELEASE


def _idc_google(release: int) -> dict[str, Any]:
    store = f"projects/nci-idc-data/locations/us-central1/datasets/idc/dicomStores/idc-store-v{release}"
    return {"url": f"https://{GOOGLE_HOST}/v1/{store}/dicomWeb", "kind": "idc-google"}


def _google_store(place: str) -> str:
    """The address of ``gcp:PROJECT/LOCATION/DATASET/STORE``; old projects are ``example.com:PROJECT``."""
    parts = place.removeprefix("gcp:").split("/")
    project, *others = parts
    names = [*project.split(":", 1), *others]
    if len(parts) != 4 or not all(re.fullmatch(r"[\w.-]+", name) and name.strip(".") for name in names):
        raise BadSettings(f"{place}: write gcp:PROJECT/LOCATION/DATASET/STORE.")
    project, location, dataset, store = (quote(part, safe=":") for part in parts)
    return (
        f"https://{GOOGLE_HOST}/v1/projects/{project}/locations/{location}"
        f"/datasets/{dataset}/dicomStores/{store}/dicomWeb"
    )


def _add_permits(tables: dict[str, Any], permits: Sequence[str]) -> None:
    for permit in permits:
        name, _, action = permit.partition(":")
        if action not in ("store", "delete"):
            raise BadSettings(f"--permit {permit}: write NAME:store or NAME:delete.")
        if name not in tables:
            raise BadSettings(f"--permit {permit}: there is no archive {name}. Known: {', '.join(tables)}.")
        before = tables[name].get("permit", ())
        if not isinstance(before, list | tuple):
            raise BadSettings(f'archive {name}: write permit as a list: permit = ["store"].')
        tables[name]["permit"] = (*before, action)


def variable_prefix(name: str) -> str:
    """How the environment variables of an archive begin: ``DICOMWEB_MY_PACS`` for ``my-pacs``."""
    return "DICOMWEB_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def _auth_from_environment(name: str, environment: Environment) -> dict[str, Any] | None:
    """DICOMWEB_<NAME>_TOKEN, or _USERNAME and _PASSWORD, for an archive without ``auth``; None where unset."""
    prefix = variable_prefix(name)
    if f"{prefix}_TOKEN" in environment:
        return {"type": "bearer", "token_env": f"{prefix}_TOKEN"}
    given = [f"{prefix}_{part}" in environment for part in ("USERNAME", "PASSWORD")]
    if all(given):
        return {"type": "basic", "username_env": f"{prefix}_USERNAME", "password_env": f"{prefix}_PASSWORD"}
    if any(given):
        raise BadSettings(f"Set both {prefix}_USERNAME and {prefix}_PASSWORD, or neither.")
    return None


def _usual_auth(table: Mapping[str, Any]) -> dict[str, Any]:
    """How an archive is signed in to when nothing was said: Google's by Google's credentials, others not at all. The
    host decides beside the kind, because such a token goes to nobody but Google unless somebody says so."""
    url = table.get("url")
    try:
        google = isinstance(url, str) and is_google(url) and (table.get("kind") or guess_kind(url)) in GOOGLE_KINDS
    except (ValueError, TypeError):  # no address, or no kind: refused with the other settings
        google = False
    return {"type": "google" if google else "none"}


def _http(text: str) -> dict[str, Any]:
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port):
        raise BadSettings(f"--http {text}: write HOST:PORT, for instance 127.0.0.1:8000.")
    return {"host": host.strip("[]"), "port": int(port)}


def user_cache_folder(environment: Environment = os.environ) -> Path:
    """Where what can be made anew is kept: DICOMWEB_MCP_CACHE, else the user's cache folder. Raises BadSettings."""
    from platformdirs import user_cache_path

    return _named_folder(CACHE_VARIABLE, environment) or user_cache_path("dicomweb-mcp")


def user_state_folder(environment: Environment = os.environ) -> Path:
    """Where what cannot is kept: DICOMWEB_MCP_STATE, else the user's state folder. Raises BadSettings."""
    from platformdirs import user_state_path

    return _named_folder(STATE_VARIABLE, environment) or user_state_path("dicomweb-mcp")


def _named_folder(variable: str, environment: Environment) -> Path | None:
    try:
        return absolute(named) if (named := environment.get(variable)) else None
    except ValueError as error:
        raise BadSettings(f"{variable}: {error}.") from None
