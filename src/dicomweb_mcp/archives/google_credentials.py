"""Google's application default credentials: which there are, found where google-auth looks for them.

The file is read here and not by ``google.auth.default``, which would start gcloud to learn a project that nobody needs,
and so that what is wrong with it can be said.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import google.auth
from google.auth.credentials import Credentials, CredentialsWithQuotaProject
from google.auth.exceptions import GoogleAuthError

SCOPES = ("https://www.googleapis.com/auth/cloud-healthcare",)  # enough for DICOMweb, and less than cloud-platform
FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
LOGIN = "gcloud auth application-default login"
LARGEST_FILE = 1024 * 1024
AWS_TOKEN = "urn:ietf:params:aws:token-type:aws4_request"


class Unusable(Exception):
    """There are no credentials, or none that can be used: why, and what mends it."""


@dataclass(frozen=True)
class Found:
    """google-auth's credentials; which they are, and what gives new ones, in words."""

    credentials: Credentials
    words: str
    mend: str


def from_file(quota_project: str | None) -> Found | None:
    """Those of the file that GOOGLE_APPLICATION_CREDENTIALS names, else of gcloud; None where there is neither.

    Raises Unusable.
    """
    if named := os.environ.get(FILE_VARIABLE):
        path, whose = Path(named), f"the file that {FILE_VARIABLE} names"
        mend = f"Correct the variable, or unset it and run {LOGIN}."
    elif (known := _gcloud_file()) and os.access(known, os.F_OK):
        path, whose, mend = known, "the file of gcloud's application default credentials", f"Run {LOGIN}."
    else:
        return None
    try:
        info = _read(path)
        kind = KINDS.get(str(info.get("type")))
        if kind is None:
            raise Unusable(f"holds no credentials of a known type ({', '.join(KINDS)})")
        credentials = kind.load(info)
    except Unusable as problem:
        raise Unusable(f"{whose} {problem}. {mend}") from None
    except Exception as error:  # whatever the libraries make of a damaged file
        raise Unusable(f"{whose} is damaged or incomplete ({type(error).__name__}). {mend}") from None
    if isinstance(credentials, CredentialsWithQuotaProject):
        if quota_project:
            credentials = credentials.with_quota_project(quota_project)
        else:
            credentials = credentials.with_quota_project_from_environment()
    return Found(credentials, f"{kind.words} of {whose}", kind.mend)


def from_machine(quota_project: str | None, request: Any) -> Found:
    """Those of the machine of Google's that this program runs on, as google-auth finds them by ``request``, its
    transport. Raises Unusable."""
    try:
        credentials, _ = google.auth.default(scopes=SCOPES, request=request, quota_project_id=quota_project)
    except GoogleAuthError:
        raise Unusable(none_found()) from None
    return Found(credentials, "the service account of this machine", "Check the machine's service account.")


def none_found() -> str:
    """What to do without any credentials."""
    by_machine = "" if find_spec("requests") else " (On a machine of Google's, google-auth needs the package requests.)"
    return (
        f"no Google credentials were found. Run {LOGIN}, or set {FILE_VARIABLE} to a file of credentials.{by_machine}"
    )


def _gcloud_file() -> Path | None:
    """Where ``gcloud auth application-default login`` writes."""
    name = "application_default_credentials.json"
    if configured := os.environ.get("CLOUDSDK_CONFIG"):
        return Path(configured, name)
    if os.name == "nt":
        return Path(os.environ["APPDATA"], "gcloud", name) if "APPDATA" in os.environ else None
    try:
        return Path.home() / ".config" / "gcloud" / name
    except RuntimeError:  # this user has no home
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            info = json.loads(file.read(LARGEST_FILE))
    except FileNotFoundError:
        raise Unusable("does not exist") from None
    except OSError as error:
        raise Unusable(f"cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        info = None
    if not isinstance(info, dict):
        raise Unusable("is not JSON as Google writes it")
    return info


# ---- the types of credentials -------------------------------------------------------------------------------------


def _user(info: Mapping[str, Any]) -> Any:
    from google.oauth2.credentials import Credentials as User

    return User.from_authorized_user_info(info)  # without scopes: those of the login cannot be changed


def _service_account(info: Mapping[str, Any]) -> Any:
    from google.oauth2.service_account import Credentials as ServiceAccount

    return ServiceAccount.from_service_account_info(info, scopes=SCOPES)


def _impersonated(info: Mapping[str, Any]) -> Any:
    from google.auth.impersonated_credentials import Credentials as Impersonated

    return Impersonated.from_impersonated_service_account_info(info, scopes=SCOPES)


def _external(info: Mapping[str, Any]) -> Any:
    from google.auth import aws, identity_pool, pluggable

    if info.get("subject_token_type") == AWS_TOKEN:
        module: Any = aws
    else:
        module = pluggable if "executable" in info["credential_source"] else identity_pool
    return module.Credentials.from_info(info, scopes=SCOPES)


def _external_user(info: Mapping[str, Any]) -> Any:
    from google.auth.external_account_authorized_user import Credentials as ExternalUser

    return ExternalUser.from_info(info)


@dataclass(frozen=True)
class _Type:
    load: Callable[[Mapping[str, Any]], Any]
    words: str
    mend: str


_SIGN_IN = f"Sign in anew: {LOGIN}."
_SOURCE = f"Sign in anew ({LOGIN} --impersonate-service-account ACCOUNT), or check the key behind it."
KINDS: Mapping[str, _Type] = {
    "authorized_user": _Type(_user, "the Google user credentials", _SIGN_IN),
    "service_account": _Type(
        _service_account,
        "the service account key",
        "Check that this machine's clock is right and that the key still exists, or make a new one.",
    ),
    "impersonated_service_account": _Type(_impersonated, "the impersonated service account", _SOURCE),
    "external_account": _Type(
        _external, "the external account", "Check the workload identity pool and the token that it is given."
    ),
    "external_account_authorized_user": _Type(_external_user, "the external user credentials", _SIGN_IN),
}
