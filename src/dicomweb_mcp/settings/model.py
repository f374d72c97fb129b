"""The settings as values: what there is to set, and what contradicts itself."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from ..errors import Problem

Kind = Literal["google", "idc", "idc-google", "orthanc", "dcm4chee", "aurabox", "generic", "folder"]
Permission = Literal["store", "delete"]

IDC_PROXY = (
    "https://proxy.imaging.datacommons.cancer.gov/current/"
    "viewer-only-no-downloads-see-tinyurl-dot-com-slash-3j3d9jyp/dicomWeb"
)
IDC_RELEASE = 25  # the newest release when this version was made, for who has no index; idc-google=vN names another
GOOGLE_HOST = "healthcare.googleapis.com"
GOOGLE_KINDS = frozenset({"google", "idc-google"})
PROJECT = r"^[A-Za-z0-9][A-Za-z0-9.:-]*$"  # a Google project's ID or number, with its domain where it has one
CACHE_VARIABLE = "DICOMWEB_MCP_CACHE"  # names another place for what can be made anew: the indexes of folders
STATE_VARIABLE = "DICOMWEB_MCP_STATE"  # names another place for what cannot: the counts of bytes
HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9a-fA-F:.]+")  # a name or an address of a machine
READ_ONLY_KINDS = frozenset({"idc", "idc-google"})
COUNTED_KINDS = frozenset({"idc"})  # give only so many bytes a day: every one is counted
DAILY_MB = 2_000  # decimal; a small part of what IDC's proxy gives one address


class BadSettings(Problem):
    """The configuration contradicts itself or cannot be read: which setting, and what it may be."""


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Auth(_Frozen):
    """How an archive is signed in to. ``*_env`` name environment variables; ``command`` prints the secret; ``google``
    takes Google's application default credentials."""

    type: Literal["none", "basic", "bearer", "header", "google"] = "none"
    username: str | None = None
    username_env: str | None = None
    password_env: str | None = None
    token_env: str | None = None
    name: str | None = Field(default=None, description="the header's name, for type header")
    value_env: str | None = None
    command: tuple[str, ...] | None = Field(default=None, description="prints the password, token or header value")
    quota_project: Annotated[str, Field(pattern=PROJECT)] | None = Field(
        default=None, description="the Google project whose quota is used, for type google"
    )

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
        if self.type == "google":
            if others := sorted(self.model_fields_set - {"type", "quota_project"}):
                raise ValueError(f"auth of type google takes no {others[0]}: it signs in as google-auth finds")
            return self
        if self.quota_project is not None:
            raise ValueError("quota_project belongs to auth of type google")
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
    daily_mb: Annotated[int, Field(strict=True, gt=0)] | None = Field(
        default=None, description="MB to take in a UTC day at most, of an archive whose bytes are counted"
    )

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

    @field_validator("path", "ca", "client_cert", mode="before")
    @classmethod
    def _place(cls, value: Any) -> Path | None:
        return None if value is None else absolute(value)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.url is None) == (self.path is None):
            raise ValueError("give url (a DICOMweb server) or path (a folder), one of the two")
        if self.path is not None and self.kind not in (None, "folder"):
            raise ValueError("a path is of kind folder")
        if self.url is not None and self.kind == "folder":
            raise ValueError("kind folder needs path, not url")
        if self.permit and self.is_read_only:
            raise ValueError("the Imaging Data Commons can only be read: leave permit out")
        if self.daily_mb is not None and self.resolved_kind not in COUNTED_KINDS:
            raise ValueError("daily_mb is a courtesy to IDC's public proxy (kind idc): leave it out")
        if self.auth.type == "google" and not (self.url and _is_private(self.url)):
            raise ValueError(
                "auth of type google needs a url that begins with https://: its token opens more than this archive"
            )
        return self

    @property
    def is_read_only(self) -> bool:
        """Whether nothing can ever be stored there."""
        return self.resolved_kind in READ_ONLY_KINDS

    @property
    def daily_bytes(self) -> int | None:
        """How much is taken of it in a UTC day, None where nothing is counted."""
        if self.resolved_kind not in COUNTED_KINDS:
            return None
        return (self.daily_mb or DAILY_MB) * 1_000_000

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
        return tuple(absolute(folder) for folder in value)


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

    @property
    def storable(self) -> list[str]:
        """The names of the archives that files can be stored in; none without a folder that files may come from."""
        return self.receiving if self.files.roots else []

    @property
    def receiving(self) -> list[str]:
        """The names of the archives that permit storing, wherever it comes from."""
        return [archive.name for archive in self.archives if "store" in self.permits(archive)]

    @property
    def copied_into(self) -> list[str]:
        """The names of the archives that instances of another one can be copied into."""
        return self.receiving if len(self.archives) > 1 else []

    @property
    def deletable(self) -> list[str]:
        """The names of the archives in which something may be deleted."""
        return [archive.name for archive in self.archives if "delete" in self.permits(archive)]


def guess_kind(url: str) -> Kind:
    """The kind of server that an address suggests; ``generic`` when it says nothing."""
    parts = urlsplit(url)
    host, path = (parts.hostname or "").lower(), parts.path.rstrip("/")
    if host == "proxy.imaging.datacommons.cancer.gov":
        return "idc"
    if is_google(url) and host.startswith("healthcare."):
        return "idc-google" if "/projects/nci-idc-data/" in path else "google"
    if host == "aurabox.cloud" or host.endswith(".aurabox.cloud"):
        return "aurabox"
    if re.search(r"/aets/[^/]+/rs$", path):
        return "dcm4chee"
    return "orthanc" if path.endswith("/dicom-web") else "generic"


def is_google(url: str) -> bool:
    """Whether an address is one of Google's APIs."""
    return (urlsplit(url).hostname or "").lower().endswith(".googleapis.com")


def _is_private(url: str) -> bool:
    """Whether nobody on the way reads what is sent to an address: encrypted, or to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return (
        parts.scheme == "https" or host in ("localhost", "::1") or re.fullmatch(r"127(\.[0-9]+){3}", host) is not None
    )


def absolute(place: Any) -> Path:
    """The file or folder as an absolute path, ``~`` spelled out. Raises ValueError."""
    if not isinstance(place, str | Path) or not str(place).strip() or "\0" in str(place):
        raise ValueError("a file or folder is missing or is no text")
    try:
        return Path(place).expanduser().absolute()
    except RuntimeError:
        raise ValueError(f"there is no home folder for {str(place)!r}") from None  # quoted: it may be no valid text
