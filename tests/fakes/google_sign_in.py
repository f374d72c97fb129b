"""The services that give Google's tokens, and any function of a request as a server on loopback.

Shapes: RFC 6749 (token endpoint and its errors), RFC 7523 (JWT grant), RFC 8693 (token exchange), IAM Service Account
Credentials API (generateAccessToken).
"""

import datetime
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from urllib.parse import parse_qs

import httpx

Answering = Callable[[httpx.Request], httpx.Response]


@contextmanager
def listening(answer: Answering) -> Iterator[str]:
    """The address of a server on loopback that answers so."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = answer(httpx.Request(self.command, address + self.path, headers=self.headers.items(), content=body))
            content = given.read()
            with suppress(ConnectionError):  # nobody waits for it any more
                self.send_response(given.status_code)
                for name, value in given.headers.items():
                    if name != "content-length":
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass(frozen=True)
class Asked:
    """One request for a token, its form or JSON as plain values."""

    path: str
    fields: dict[str, object]
    headers: httpx.Headers


class SignIn:
    """Gives ``token1``, ``token2``, ... for any credentials; each lives ``lifetime`` seconds.

    ``refuse(...)`` orders the next answers. While ``hang`` is set requests are held without an answer.
    """

    address = ""

    def __init__(self) -> None:
        self.lifetime = 3600
        self.asked: list[Asked] = []
        self.hang = Event()
        self._refusals: list[httpx.Response] = []
        self._lock = Lock()
        self._given = 0

    def refuse(self, status: int, body: object, times: int = 1) -> None:
        """The next requests end with this status and JSON, or text."""
        content = {"content": body} if isinstance(body, str | bytes) else {"json": body}
        self._refusals += [httpx.Response(status, **content) for _ in range(times)]

    @property
    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self.asked.append(Asked(request.url.path, _fields(request), request.headers))
            refusal = self._refusals.pop(0) if self._refusals else None
        while self.hang.is_set():
            Event().wait(0.01)
        if refusal is not None:
            return refusal
        with self._lock:
            self._given += 1
            token = f"token{self._given}"
        if request.url.path.endswith(":generateAccessToken"):
            until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.lifetime)
            return httpx.Response(200, json={"accessToken": token, "expireTime": f"{until:%Y-%m-%dT%H:%M:%SZ}"})
        return httpx.Response(
            200,
            json={
                "access_token": token,
                "expires_in": self.lifetime,
                "token_type": "Bearer",
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            },
        )


def _fields(request: httpx.Request) -> dict[str, object]:
    body = request.read()
    if request.headers.get("content-type") == "application/json":
        return dict(json.loads(body))
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}
