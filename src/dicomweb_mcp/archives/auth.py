"""How a request is signed in. A secret is read when it is needed and never shown."""

import base64
import os
import time
from collections.abc import Mapping
from typing import Protocol

import anyio

from ..settings import ArchiveSettings, Auth, variable_prefix
from .base import AccessDenied

SHORTEST_SECRET = 4  # shorter ones would be found in every word
COMMAND_SECONDS = 30
COMMAND_LIFETIME = 30 * 60  # printed tokens commonly live an hour


class SignIn(Protocol):
    """The headers that sign a request of one archive in."""

    async def headers(self) -> dict[str, str]:
        """Raises ArchiveError when they are not to be had: why, and what mends it."""
        ...

    def forget(self, refused: Mapping[str, str]) -> bool:
        """Drop what gave headers that were refused, unless it was renewed meanwhile; true when asking again may give
        others."""
        ...

    @property
    def how(self) -> str:
        """Which credentials were used, in words, for error messages."""
        ...


def sign_in(settings: ArchiveSettings) -> SignIn:
    """How an archive is signed in to. google-auth is loaded only for an archive that uses it."""
    if settings.auth.type == "google":
        from .google_auth import GoogleCredentials

        return GoogleCredentials(settings.name, settings.auth, settings.proxy)
    return Credentials(settings.name, settings.auth)


def without_secrets(body: bytes, sent: Mapping[str, str], header: str | None) -> bytes:
    """What an archive said, without the credentials of the request that it said it to. They were in Authorization or
    in the configured ``header``; some servers repeat them, whole or in part."""
    secrets: set[bytes] = set()
    for value in (sent.get("authorization", ""), sent.get(header or "", "")):
        scheme, _, token = value.rpartition(" ")
        secrets |= {value.encode(), token.encode()}
        if scheme == "Basic":
            secrets.add(base64.b64decode(token).partition(b":")[2])
    for secret in sorted(secrets, key=len, reverse=True):
        body = body.replace(secret, b"***") if len(secret) >= SHORTEST_SECRET else body
    return body


class Credentials:
    """None, basic, bearer, header: secrets from the environment or from a command."""

    def __init__(self, archive: str, auth: Auth, environment: Mapping[str, str] = os.environ) -> None:
        self._archive = archive
        self._auth = auth
        self._environment = environment
        self._printed: tuple[float, str] | None = None
        self._lock = anyio.Lock()

    async def headers(self) -> dict[str, str]:
        """Raises AccessDenied when the secret is not to be had: which variable or command was meant."""
        if self._auth.type == "none":
            return {}
        return self._headers_with(await self._secret())

    def forget(self, refused: Mapping[str, str]) -> bool:
        """True when there is a command, which may print another secret the next time."""
        if self._printed is not None and self._headers_with(self._printed[1]) == refused:
            self._printed = None
        return self._auth.command is not None

    @property
    def how(self) -> str:
        """Which credentials were used, in words, for error messages."""
        auth = self._auth
        if auth.type == "none":
            prefix = variable_prefix(self._archive)
            return (
                "no credentials were configured: set "
                f"{prefix}_TOKEN, or {prefix}_USERNAME and {prefix}_PASSWORD, or auth in the configuration"
            )
        source = "the configured command" if auth.command else self._variable_name
        return f"the {auth.type} credentials from {source} were used: check them"

    def _headers_with(self, secret: str) -> dict[str, str]:
        auth = self._auth
        if auth.type == "bearer":
            return {"Authorization": f"Bearer {secret}"}
        if auth.type == "header":
            return {str(auth.name): secret}
        user = auth.username or self._variable(auth.username_env)
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}

    @property
    def _variable_name(self) -> str:
        return self._auth.password_env or self._auth.token_env or self._auth.value_env or ""

    async def _secret(self) -> str:
        if not self._auth.command:
            return self._variable(self._variable_name)
        async with self._lock:
            if self._printed is None or time.monotonic() - self._printed[0] > COMMAND_LIFETIME:
                self._printed = (time.monotonic(), await self._run(self._auth.command))
            return self._printed[1]

    def _variable(self, name: str | None) -> str:
        value = self._environment.get(name or "", "").strip()
        if not value:
            raise AccessDenied(self._archive, f"the environment variable {name} with its credentials is not set.")
        if not value.isprintable() or (self._auth.type != "basic" and not value.isascii()):
            raise AccessDenied(self._archive, f"the environment variable {name} holds what no header can: check it.")
        return value

    async def _run(self, command: tuple[str, ...]) -> str:
        try:
            with anyio.fail_after(COMMAND_SECONDS):
                done = await anyio.run_process(command, check=False)
        except (OSError, TimeoutError) as error:
            raise AccessDenied(
                self._archive, f"the command for its credentials did not run ({type(error).__name__}): {command[0]}."
            ) from None
        secret = done.stdout.decode("utf-8", "replace").strip()
        usable = secret.isprintable() and (secret.isascii() or self._auth.type == "basic")
        if done.returncode or not secret or not usable:
            raise AccessDenied(
                self._archive, f"the command for its credentials failed (exit status {done.returncode}): {command[0]}."
            )
        return secret
