"""What was configured: archives, permissions, folders. Flags, environment and a TOML file become one frozen value.

Contradictions end the start with a sentence (``BadSettings``). Secrets are never in here: an ``Auth`` says from which
environment variable or command a secret comes, and it is read when it is used.
"""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from .errors import Problem

Kind = Literal["google", "idc", "idc-google", "orthanc", "dcm4chee", "aurabox", "generic", "folder"]
Permission = Literal["store", "delete"]
Environment = Mapping[str, str]

IDC_PROXY = (
    "https://proxy.imaging.datacommons.cancer.gov/current/"
    "viewer-only-no-downloads-see-tinyurl-dot-com-slash-3j3d9jyp/dicomWeb"
)
IDC_RELEASE = 25  # the newest release when this version was made; idc-google=vN names another
GOOGLE_HOST = "healthcare.googleapis.com"
CACHE_VARIABLE = "DICOMWEB_MCP_CACHE"  # names another place for what can be made anew: the indexes of folders
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+")  # a name or an address of a machine
READ_ONLY_KINDS = frozenset({"idc", "idc-google"})


class BadSettings(Problem):
    """The configuration contradicts itself or cannot be read: which setting, and what it may be."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Frozen):
    """How an archive is signed in to. ``*_env`` name environment variables; ``command`` prints the secret."""

    type: Literal["none", "basic", "bearer", "header"] = "none"
    username: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    token_env: str | None = None
    name: str | None = Field(default=None, description="the header's name, for type header")
    value_env: str | None = None
    command: tuple[str, ...] | None = Field(default=None, description="prints the password, token or header value")

    @field_validator("command", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            import shlex

            value = tuple(shlex.split(value, posix=os.name == "posix"))
        if isinstance(value, list | tuple) and not value:
            raise ValueError("command is empty")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.type == "none":
            return self
        secret = {"basic": "password_env", "bearer": "token_env", "header": "value_env"}[self.type]
        if (getattr(self, secret) is None) == (self.command is None):
            raise ValueError(f"auth of type {self.type} needs {secret} or command, one of the two")
        if self.type == "basic" and (self.username is None) == (self.username_env is None):
            raise ValueError("auth of type basic needs username or username_env, one of the two")
        if self.type == "header" and not self.name:
            raise ValueError("auth of type header needs name, the header's name")
        return self


class ArchiveSettings(_Frozen):
    """One archive: a DICOMweb server (``url``) or a folder of files (``path``)."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,31}$")]
    url: str | None = None
    path: Path | None = None
    kind: Kind | None = None
    auth: Auth = Auth()
    permit: tuple[Permission, ...] = ()
    ca: Path | None = Field(
        default=None, description="PEM file of the certificate authorities; the system's when left out"
    )
    client_cert: Path | None = Field(default=None, description="PEM file with certificate and key")
    proxy: str | None = None

    @field_validator("url", "proxy")
    @classmethod
    def _web_address(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
            usable = parts.port is None or parts.port > 0
        except ValueError:
            parts, usable = urlsplit(""), False
        if not usable or parts.scheme not in ("http", "https") or not HOST.fullmatch(parts.hostname or ""):
            raise ValueError(f"{info.field_name} must be an address that begins with http:// or https://")
        if parts.username or parts.password:
            raise ValueError("a password does not belong in an address: use auth, or DICOMWEB_<NAME>_PASSWORD")
        if parts.query or parts.fragment or not value.isprintable() or " " in value:
            raise ValueError(f"{info.field_name} must be the base address alone, without ? or #")
        return value.rstrip("/")

    @field_validator("path", mode="before")
    @classmethod
    def _folder(cls, value: Any) -> Path | None:
        return None if value is None else _absolute(value)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.path is None):
            raise ValueError("give url (a DICOMweb server) or path (a folder), one of the two")
        if self.path is not None and self.kind not in (None, "folder"):
            raise ValueError("a path is of kind folder")
        if self.url is not None and self.kind == "folder":
            raise ValueError("kind folder needs path, not url")
        if self.permit and self.resolved_kind in READ_ONLY_KINDS:
            raise ValueError("the Imaging Data Commons can only be read: leave permit out")
        return self

    @property
    def resolved_kind(self) -> Kind:
        """The kind given, else the one its address suggests."""
        return self.kind or (guess_kind(self.url) if self.url else "folder")


class HttpSettings(_Frozen):
    """Where streamable HTTP listens: loopback only, because it has no authentication."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]

    @field_validator("host")
    @classmethod
    def _loopback(cls, value: str) -> str:
        if value not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("--http listens on loopback only (127.0.0.1, ::1 or localhost): it has no authentication")
        return value


class FileSettings(_Frozen):
    """Where tools may read files to send and write files that they fetch; nowhere by default."""

    roots: tuple[Path, ...] = ()

    @field_validator("roots", mode="before")
    @classmethod
    def _folders(cls, value: Any) -> tuple[Path, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError('write a list of folders: roots = ["/data/outgoing"]')
        return tuple(_absolute(folder) for folder in value)


class Settings(_Frozen):
    """Everything that was configured."""

    archives: Annotated[tuple[ArchiveSettings, ...], Field(min_length=1)]
    files: FileSettings = FileSettings()
    http: HttpSettings | None = None

    @model_validator(mode="after")
    def _distinct_names(self) -> Self:
        names = [archive.name.casefold() for archive in self.archives]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"archive {twice[0]} is configured twice: give each its own name")
        return self

    def permits(self, archive: ArchiveSettings) -> tuple[Permission, ...]:
        """What may be done to an archive beyond reading: nothing over HTTP, which has no authentication."""
        return () if self.http else archive.permit


def user_cache_folder(environment: Environment = os.environ) -> Path:
    """Where what can be made anew is kept: DICOMWEB_MCP_CACHE, else the user's cache folder."""
    if environment.get(CACHE_VARIABLE):
        return Path(environment[CACHE_VARIABLE]).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("dicomweb-mcp")


def guess_kind(url: str) -> Kind:
    """The kind of server that an address suggests; ``generic`` when it says nothing."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), parts.path.rstrip("/")
    if host == "proxy.imaging.datacommons.cancer.gov":
        return "idc"
    if host == GOOGLE_HOST:
        return "idc-google" if "/projects/nci-idc-data/" in path else "google"
    if host == "aurabox.cloud" or host.endswith(".aurabox.cloud"):
        return "aurabox"
    if re.search(r"/aets/[^/]+/rs$", path):
        return "dcm4chee"
    return "orthanc" if path.endswith("/dicom-web") else "generic"


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
            table["auth"] = _auth_from_environment(name, environment)
    if unknown := set(written) - {"archives", "files"}:
        raise BadSettings(f"{config}: {sorted(unknown)[0]} is not a setting. Known are [archives.NAME] and [files].")
    files = _table(written, "files")
    if file_roots:
        files = {**files, "roots": [*file_roots, *files.get("roots", [])]}
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
        return tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise BadSettings(f"The configuration {path} cannot be read: {error.strerror}.") from None
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
        return {"url": _google_store(place), "kind": "google"}
    if re.match(r"[a-z][a-z0-9+.-]+:/", place):
        return {"url": place}
    if name == "idc-google":
        if not (release := re.fullmatch(r"v([0-9]{1,3})", place)):
            raise BadSettings("--archive idc-google: name a release as v25, or none.")
        return _idc_google(int(release[1]))
    return {"path": place}


def _expanded(name: str, written: Any) -> dict[str, Any]:
    """A table of the file, with ``gcp:`` addresses spelled out, folders made absolute and known names filled in."""
    if not isinstance(written, dict):
        raise BadSettings(f"archive {name}: write it as a table, [archives.{name}].")
    table: dict[str, Any] = dict(written)
    if isinstance(table.get("url"), str) and table["url"].startswith("gcp:"):
        table = {"kind": "google", **table, "url": _google_store(table["url"])}
    if "url" not in table and "path" not in table:
        table = {**(_well_known(name) or {}), **table}
    return table


def _well_known(name: str) -> dict[str, Any] | None:
    if name == "idc":
        return {"url": IDC_PROXY, "kind": "idc"}
    return _idc_google(IDC_RELEASE) if name == "idc-google" else None


def _idc_google(release: int) -> dict[str, Any]:
    store = f"projects/nci-idc-data/locations/us-central1/datasets/idc/dicomStores/idc-store-v{release}"
    return {"url": f"https://{GOOGLE_HOST}/v1/{store}/dicomWeb", "kind": "idc-google"}


def _google_store(place: str) -> str:
    parts = place.removeprefix("gcp:").split("/")
    if len(parts) != 4 or not all(re.fullmatch(r"[A-Za-z0-9._:-]+", part) for part in parts):
        raise BadSettings(f"{place}: write gcp:PROJECT/LOCATION/DATASET/STORE.")
    project, location, dataset, store = parts
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


def _absolute(folder: Any) -> Path:
    if not isinstance(folder, str | Path) or not str(folder).strip() or "\0" in str(folder):
        raise ValueError("a folder is missing or is no text")
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"there is no home folder for {folder}") from None


def _auth_from_environment(name: str, environment: Environment) -> dict[str, Any]:
    """DICOMWEB_<NAME>_TOKEN, or _USERNAME and _PASSWORD, for an archive without ``auth``."""
    prefix = variable_prefix(name)
    if f"{prefix}_TOKEN" in environment:
        return {"type": "bearer", "token_env": f"{prefix}_TOKEN"}
    given = [f"{prefix}_{part}" in environment for part in ("USERNAME", "PASSWORD")]
    if all(given):
        return {"type": "basic", "username_env": f"{prefix}_USERNAME", "password_env": f"{prefix}_PASSWORD"}
    if any(given):
        raise BadSettings(f"Set both {prefix}_USERNAME and {prefix}_PASSWORD, or neither.")
    return {"type": "none"}


def _http(text: str) -> dict[str, Any]:
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port):
        raise BadSettings(f"--http {text}: write HOST:PORT, for instance 127.0.0.1:8000.")
    return {"host": host.strip("[]"), "port": int(port)}
