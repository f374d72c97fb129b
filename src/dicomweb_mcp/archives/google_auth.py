"""Signing in with Google's application default credentials: tokens fetched by google-auth, renewed before they expire.

google-auth works synchronously, so it runs in a worker thread; every wait ends, and nothing that Google or a file of
credentials says reaches a message but codes.
"""

import json
import re
import time
from collections.abc import Mapping

import anyio
from anyio import to_thread
from google.auth.exceptions import GoogleAuthError

from ..settings import Auth
from .base import AccessDenied, ArchiveError, Busy, NotUnderstood, Unreachable
from .failures import google_denial
from .google_credentials import Found, Unusable, from_file, from_machine, none_found
from .google_transport import NoAnswer, Response, Transport, token_client

TOKEN_SECONDS = 30.0  # for a token, with the wait for somebody else's attempt
MACHINE_SECONDS = 5.0  # to notice that this is no machine of Google's

IMPERSONATION = (
    "the account behind the impersonated service account may not impersonate it, or there is no such service account. "
    "Grant it roles/iam.serviceAccountTokenCreator on the service account (iam.serviceAccounts.getAccessToken)."
)
OAUTH_ERRORS = {"invalid_grant": ": expired or revoked (invalid_grant)"}


class GoogleCredentials:
    """The headers that sign a request of one archive in with a token of Google's."""

    def __init__(self, archive: str, auth: Auth, proxy: str | None = None, seconds: float = TOKEN_SECONDS) -> None:
        self._archive = archive
        self._quota_project = auth.quota_project
        self._proxy = proxy
        self._seconds = seconds
        self._found: Found | None = None
        self._headers: dict[str, str] | None = None
        self._failed: tuple[float, ArchiveError] | None = None
        self._lock = anyio.Lock()

    async def headers(self) -> dict[str, str]:
        """Raises ArchiveError when no token is to be had: why, and what mends it."""
        asked = time.monotonic()
        try:
            with anyio.fail_after(self._seconds):
                async with self._lock:
                    if self._failed and asked < self._failed[0]:  # this call waited for an attempt that failed
                        raise self._failed[1].with_traceback(None)
                    if self._headers is None or self._found is None or not self._found.credentials.valid:
                        self._headers = await self._renewed()
                    return dict(self._headers)
        except TimeoutError:
            raise Unreachable(
                self._archive, f"Google's sign-in service gave no token within {self._seconds:g} s. Try again."
            ) from None

    def forget(self, refused: Mapping[str, str]) -> bool:
        """Drop the token of headers that were refused, unless it was renewed meanwhile; the next one is fetched with
        credentials that are read anew."""
        if self._headers == refused:
            self._headers = self._found = None
        return True

    @property
    def how(self) -> str:
        """Which credentials were used, in words, for error messages."""
        words = self._found.words if self._found else "Google's application default credentials"
        return f"it was signed in to with {words}"

    async def _renewed(self) -> dict[str, str]:
        async with token_client(self._proxy) as client:
            transport = Transport(client)
            try:
                found = self._found = self._found or await self._find(transport)
                try:
                    headers = await to_thread.run_sync(_fetch, found, transport, abandon_on_cancel=True)
                except Exception as error:  # google-auth lets through what odd answers make it stumble over
                    raise self._failure(error, found, transport.answer) from None
                if not all(value.isascii() and value.isprintable() for value in headers.values()):
                    raise NotUnderstood(self._archive, "the token or quota project holds what no header can.")
                return headers
            except ArchiveError as error:
                self._found = None  # who signs in anew meanwhile is believed the next time
                self._failed = (time.monotonic(), error)
                raise

    async def _find(self, transport: Transport) -> Found:
        try:
            found = await to_thread.run_sync(from_file, self._quota_project, abandon_on_cancel=True)
            if found is None:
                with anyio.fail_after(MACHINE_SECONDS):
                    found = await to_thread.run_sync(
                        from_machine, self._quota_project, transport, abandon_on_cancel=True
                    )
            return found
        except Unusable as problem:
            raise AccessDenied(self._archive, str(problem)) from None
        except TimeoutError:
            raise AccessDenied(self._archive, none_found()) from None

    def _failure(self, error: Exception, found: Found, answer: Response | None) -> ArchiveError:
        """The error for a token that was not to be had, after this last answer."""
        archive, service = self._archive, "Google's sign-in service"
        if unanswered := _unanswered(error):
            return Unreachable(archive, f"{service} {unanswered}. Check the network, and HTTPS_PROXY.")
        if not isinstance(error, GoogleAuthError) or (answer and answer.status == 200):
            return NotUnderstood(archive, f"{service} gave an answer that is not understood ({type(error).__name__}).")
        status, said = (answer.status, _error(answer.data)) if answer else (0, None)
        if status in (408, 429) or status >= 500:
            return Busy(archive, f"{service} is overloaded or failing ({status}). Try again in a minute.")
        if answer and isinstance(said, dict):  # so writes the IAM API, which impersonates; the others write a code
            return google_denial(archive, answer.data) or AccessDenied(archive, IMPERSONATION)
        code = said if isinstance(said, str) and re.fullmatch(r"[a-z_]{1,40}", said) else ""
        explained = OAUTH_ERRORS.get(code) or (f" ({code})" if code else "")
        return AccessDenied(archive, f"{service} gave no token for {found.words}{explained}. {found.mend}")


def _fetch(found: Found, transport: Transport) -> dict[str, str]:
    """The headers with a new token."""
    found.credentials.refresh(transport)
    headers: dict[str, str] = {}
    found.credentials.apply(headers)
    return headers


def _unanswered(error: BaseException | None) -> str:
    """What happened to a request that got no answer, if that is what went wrong."""
    while error is not None:
        if isinstance(error, NoAnswer):
            return str(error)
        error = error.__cause__
    return ""


def _error(data: bytes) -> object:
    """The ``error`` of a JSON answer."""
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return answer.get("error") if isinstance(answer, dict) else None
