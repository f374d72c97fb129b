"""How google-auth reaches Google's sign-in services: over httpx, with time-outs, a cap on answers and no redirects."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
from anyio import from_thread
from google.auth.exceptions import TransportError

from .. import __version__

CONNECT_SECONDS = 10
SILENCE_SECONDS = 20
LARGEST_ANSWER = 1024 * 1024


class NoAnswer(TransportError):
    """A request without an answer: what happened, in words that hold no address."""

    def __init__(self, what: str) -> None:
        super().__init__(what)  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class Response:
    """An answer as google-auth reads it."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Transport:
    """google-auth's transport: called in a worker thread, it sends in the event loop, so that a request ends at once
    when nobody waits for its token any more. ``answer`` is the last one."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        self.answer: Response | None = None

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Response:
        from_thread.check_cancelled()
        seconds = min(timeout or SILENCE_SECONDS, SILENCE_SECONDS)
        try:
            self.answer = from_thread.run(self._send, url, method, body, headers, seconds)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise NoAnswer(_words(error)) from None
        return self.answer

    async def _send(
        self, url: str, method: str, body: bytes | None, headers: Mapping[str, str] | None, seconds: float
    ) -> Response:
        patience = httpx.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS))
        async with self._client.stream(method, url, content=body, headers=headers, timeout=patience) as response:
            data = bytearray()
            async for chunk in response.aiter_raw():
                data += chunk
                if len(data) > LARGEST_ANSWER:
                    raise NoAnswer("gives an answer that is too large")
            return Response(response.status_code, response.headers, bytes(data))


def token_client(proxy: str | None) -> httpx.AsyncClient:
    """A client for Google's sign-in services, which the system's trust store vouches for. Plain http is spoken by
    nothing but the metadata server beside this machine: it never goes through a proxy."""
    import truststore

    trust = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(
        verify=trust,
        proxy=proxy,
        mounts={"http://": httpx.AsyncHTTPTransport(verify=trust)},
        headers={"User-Agent": f"dicomweb-mcp/{__version__}", "Accept-Encoding": "identity"},
        follow_redirects=False,
    )


def _words(error: Exception) -> str:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return "has a certificate that the system's trust store does not vouch for"
    if isinstance(error, httpx.ProxyError):
        return "cannot be reached through the proxy"
    if isinstance(error, httpx.TimeoutException):
        return "does not answer"
    return f"cannot be reached ({type(error).__name__})"
