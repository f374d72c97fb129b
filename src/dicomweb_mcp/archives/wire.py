"""HTTP to one archive: connections, time-outs, retries, limits, sign-in; every failure becomes an ArchiveError.

Only the archive's own base address is ever contacted, redirects are not followed, and no message holds an address.
"""

import random
import re
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from io import BytesIO
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx

from .. import __version__
from ..settings import ArchiveSettings
from .auth import sign_in, without_secrets
from .base import ArchiveError, Busy, NotUnderstood, Refused, Unreachable
from .failures import failure
from .inflate import ASKED_FOR, BadCoding, Inflater
from .manners import Manners
from .profiles import Profile

MiB = 1024 * 1024
PAUSE = 100  # chunks after which other calls get a turn
LONGEST_ERROR_BODY = 64 * 1024
BROKEN = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)  # an idle connection that was closed, mostly


@dataclass(frozen=True)
class Patience:
    """Seconds: to connect, without a byte, for a place among the parallel requests, for the head of an answer with all
    tries and again for its body, for the metadata of a whole series or study, for a whole stream of files, for the
    verdict on files that were sent or are to be deleted, for a long-running operation and before the first look at it,
    the base of the exponential back-off, and the longest wait that a Retry-After can ask for."""

    connect: float = 10
    silence: float = 30
    queue: float = 60
    answer: float = 120
    metadata: float = 300
    stream: float = 3_600
    verdict: float = 300
    operation: float = 3_600
    poll: float = 0.5
    back_off: float = 0.5
    retry_after: float = 20


@dataclass(frozen=True)
class Answer:
    """A successful answer, read whole."""

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def content_type(self) -> str:
        return str(self.headers.get("content-type", ""))


@dataclass(frozen=True)
class Body:
    """What a request sends: ``length`` bytes, which ``chunks`` gives anew for every try, and ``headers`` about them."""

    content_type: str
    length: int
    chunks: Callable[[], AsyncIterator[bytes]]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """A successful answer whose body is still arriving."""

    content_type: str
    chunks: AsyncGenerator[bytes, None]


class Wire:
    """Requests to one archive. ``transport`` replaces the network in tests."""

    def __init__(
        self,
        settings: ArchiveSettings,
        profile: Profile,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.name = settings.name
        self.base = settings.url or ""
        self.profile = profile
        self.patience = patience or Patience()
        self._settings = settings
        self._transport = transport
        self._credentials = sign_in(settings)
        self._manners = Manners(settings, profile, most) if (most := settings.daily_bytes) else None
        self._places = anyio.Semaphore(profile.parallel, fast_acquire=True)
        self._opening = anyio.Lock(fast_acquire=True)
        self._client: httpx.AsyncClient | None = None

    async def get(self, path: str, *, accept: str, query: str = "", most: int, base: str | None = None) -> Answer:
        """GET below the archive's base (or another one of the same server), the whole body, at most ``most`` bytes.

        Raises ArchiveError; any status but 200, 204 and 206 is one.
        """
        url = (base or self.base) + path + (f"?{query}" if query else "")
        async with self._response(url, accept) as response:
            body = BytesIO()  # gives its bytes away without a copy
            async for chunk in self._chunks(response, most, self.patience.answer, is_read_whole=True):
                body.write(chunk)
            return Answer(response.status_code, response.headers, body.getvalue())

    @asynccontextmanager
    async def stream(self, path: str, *, accept: str, most: int, seconds: float) -> AsyncIterator[Stream]:
        """GET whose body is read as it arrives, at most ``most`` decoded bytes within so many seconds."""
        async with self._response(self.base + path, accept) as response:
            chunks = self._chunks(response, most, seconds)
            yield Stream(response.headers.get("content-type", ""), chunks)

    async def post(self, path: str, body: Body, *, accept: str, most: int, base: str | None = None) -> Answer:
        """POST below the archive's base (or another one of the same server), once: only a request that was turned away
        unread, because its token had run out, is sent again.

        Every status but a redirect is an answer, because the body of a failure says which part failed; ``failure``
        makes an error of it. Raises ArchiveError, and what ``body.chunks`` raises.
        """
        return await self._once("POST", (base or self.base) + path, body, accept, most)

    async def delete(self, path: str, *, accept: str, most: int, base: str | None = None) -> Answer:
        """DELETE as ``post``: once, and every status but a redirect is an answer."""
        return await self._once("DELETE", (base or self.base) + path, None, accept, most)

    async def _once(self, method: str, url: str, body: Body | None, accept: str, most: int) -> Answer:
        async with self._place():
            try:
                response = await self._send(url, accept, body, method)
            except BROKEN as error:
                raise self._unreachable(error) from None
            async with self._closing(response):
                self._check_redirect(response)
                read = bytearray()
                async for chunk in self._chunks(response, most, self.patience.verdict):
                    read += chunk
                return self._answer(response, read)

    def failure(self, answer: Answer) -> ArchiveError:
        """The error for an answer that is not a success."""
        how = self._credentials.how
        return failure(self.name, self.profile.kind, answer.status, answer.body, answer.content_type, how)

    async def close(self) -> None:
        """Close idle connections, and save what was counted."""
        if self._manners:
            await self._manners.save(at_once=True)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    @asynccontextmanager
    async def _response(self, url: str, accept: str) -> AsyncIterator[httpx.Response]:
        """A successful response whose body has not been read, after as many tries as the profile allows."""
        async with self._place():
            if self._manners:
                await self._manners.admit(url)
            try:
                with anyio.fail_after(self.patience.answer):
                    response = await self._persistently(url, accept)
            except TimeoutError:
                raise self._late(self.patience.answer) from None
            async with self._closing(response):
                await self._check(response)
                yield response

    @asynccontextmanager
    async def _closing(self, response: httpx.Response) -> AsyncIterator[None]:
        try:
            yield
        finally:
            with anyio.move_on_after(2, shield=True):
                await response.aclose()
            if self._manners:
                await self._manners.save()

    async def _persistently(self, url: str, accept: str) -> httpx.Response:
        for attempt in range(1, self.profile.tries + 1):
            last = attempt == self.profile.tries
            try:
                response = await self._send(url, accept)
            except BROKEN as error:
                if last:
                    raise self._unreachable(error) from None
                await anyio.sleep(self._wait(attempt, ""))
                continue
            if last or response.status_code not in self.profile.retry:
                return response
            await response.aclose()
            await anyio.sleep(self._wait(attempt, response.headers.get("retry-after", "")))
        raise AssertionError("every profile has at least one try")

    async def _send(self, url: str, accept: str, body: Body | None = None, method: str = "GET") -> httpx.Response:
        """The response's head, signed in anew once when a token that can be renewed was refused. Raises one of
        BROKEN."""
        asked = {"Accept": accept, "Accept-Encoding": self._wanted_coding(accept)}
        signed = await self._credentials.headers()
        response = await self._head(method, url, {**asked, **signed}, body)
        if response.status_code == 401 and self._credentials.forget(signed):
            await response.aclose()
            response = await self._head(method, url, {**asked, **await self._credentials.headers()}, body)
        return response

    def _wanted_coding(self, accept: str) -> str:
        """JSON packs well anywhere."""
        return "identity" if self.profile.packs_slowly and not accept.endswith("json") else ASKED_FOR

    async def _head(self, method: str, url: str, headers: dict[str, str], body: Body | None) -> httpx.Response:
        client = await self._opened()
        patience = self.patience
        seconds = patience.stream if body else patience.answer if method == "GET" else patience.verdict
        try:
            with anyio.fail_after(seconds):
                return await client.send(self._request(client, method, url, headers, body), stream=True)
        except BROKEN:
            raise
        except TimeoutError:
            raise self._late(seconds) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:  # TLS alerts come through as OSError
            raise self._unreachable(error) from None

    def _request(
        self, client: httpx.AsyncClient, method: str, url: str, headers: dict[str, str], body: Body | None
    ) -> httpx.Request:
        if method == "GET":
            return client.build_request(method, url, headers=headers)
        # an archive may say nothing for long while it takes files in or deletes them
        patience = httpx.Timeout(self.patience.silence, connect=self.patience.connect, read=self.patience.verdict)
        if body is None:
            return client.build_request(method, url, headers=headers, timeout=patience)
        about = {**body.headers, "Content-Type": body.content_type, "Content-Length": str(body.length)}
        return client.build_request(method, url, headers={**headers, **about}, content=body.chunks(), timeout=patience)

    async def _check(self, response: httpx.Response) -> None:
        if response.status_code in (200, 204, 206):
            return
        self._check_redirect(response)
        body = bytearray()
        try:
            async for chunk in self._chunks(response, LONGEST_ERROR_BODY, self.patience.silence):
                body += chunk
        except ArchiveError:
            pass  # the status says more than what is wrong with its body
        raise self.failure(self._answer(response, body))

    def _answer(self, response: httpx.Response, body: bytearray) -> Answer:
        """An answer whose body may be repeated."""
        said = without_secrets(bytes(body), response.request.headers, self._settings.auth.name)
        return Answer(response.status_code, response.headers, said)

    def _check_redirect(self, response: httpx.Response) -> None:
        if 300 <= response.status_code < 400:
            raise Refused(
                self.name,
                "redirects to another address, which is not followed: configure the address it redirects to "
                "(a redirect to a sign-in page means that credentials are missing).",
            )

    async def _chunks(
        self, response: httpx.Response, most: int, seconds: float, *, is_read_whole: bool = False
    ) -> AsyncGenerator[bytes, None]:
        """The decoded body; one that breaks off, exceeds ``most`` bytes or takes over ``seconds`` is an error. Of one
        that is not ``is_read_whole`` its reader may leave the rest, so that its length is no reason to refuse it."""
        if not Inflater.knows(_coding(response)):
            raise NotUnderstood(
                self.name, "its answer is compressed in a way that was not asked for. Tell its administrator."
            )
        declared = response.headers.get("content-length", "")
        length = float(declared) if declared.isascii() and declared.isdigit() else 0
        if length > most:
            raise too_large(self.name, most)
        size, pieces, end, inflater = 0, 0, time.monotonic() + seconds, Inflater(_coding(response))
        assert isinstance(response.stream, httpx.AsyncByteStream)
        try:
            with self._counting(response, int(length) if is_read_whole else 0) as count:
                async for raw in response.stream:  # as it came: what unpacks to nothing takes time as well
                    count(len(raw))
                    for chunk in inflater.feed(raw):
                        size += len(chunk)
                        if size > most:
                            raise too_large(self.name, most)
                        yield chunk
                    pieces += 1
                    if pieces % PAUSE == 0:  # small ones come by thousands at a time
                        await anyio.lowlevel.checkpoint()
                        if self._manners:
                            await self._manners.save()
                    if time.monotonic() > end:
                        raise Unreachable(
                            self.name, f"did not finish its answer within {seconds:g} s. Ask for less, or try again."
                        )
            inflater.close()
        except BadCoding as error:
            raise Unreachable(self.name, f"{error}. Try again.") from None
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            if isinstance(error, httpx.RequestError):
                error.request = response.request  # as httpx does where it reads a stream itself
            raise self._unreachable(error) from None

    def _counting(self, response: httpx.Response, announced: int) -> AbstractContextManager[Callable[[int], None]]:
        """What is told the size of every piece of a body."""
        return self._manners.body(str(response.url), announced) if self._manners else nullcontext(lambda _: None)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """A place among the archive's parallel requests."""
        try:
            with anyio.fail_after(self.patience.queue):
                await self._places.acquire()
        except TimeoutError:
            raise Busy(self.name, "other requests to it have not finished. Try again in a minute.") from None
        try:
            yield
        finally:
            self._places.release()

    def _wait(self, attempt: int, retry_after: str) -> float:
        """Seconds until the next try: what Retry-After says, else doubling with jitter."""
        if re.fullmatch("[0-9]+", retry_after):
            return min(float(retry_after), self.patience.retry_after)
        return float(self.patience.back_off * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))

    def _late(self, seconds: float) -> Unreachable:
        return Unreachable(
            self.name, f"did not begin its answer within {seconds:g} s. Try again, or ask for less (TimeoutError)."
        )

    def _unreachable(self, error: Exception) -> Unreachable:
        words = {
            "ConnectError": "cannot be reached: no connection. Check its address, and that it runs",
            "ConnectTimeout": f"cannot be reached: no connection within {self.patience.connect:g} s",
            "ReadTimeout": f"sent nothing for {_patience_of(error):g} s. Try again, or ask for less",
            "ProxyError": "cannot be reached through the configured proxy",
        }
        said = words.get(type(error).__name__, "broke off its answer. Try again")
        if isinstance(error, httpx.RemoteProtocolError) and not re.search("disconnected|closed", str(error)):
            said = "sent something that is no HTTP. Check its address, or try again"
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            said = "has a certificate that is not trusted here: set ca to the PEM file of its authority"
        if "CERTIFICATE_REQUIRED" in str(error):
            said = "asks for a client certificate: set client_cert"
        return Unreachable(self.name, f"{said} ({type(error).__name__}).")

    async def _opened(self) -> httpx.AsyncClient:
        async with self._opening:
            if self._client is None:
                trust = await anyio.to_thread.run_sync(self._trust) if self._transport is None else True
                self._client = httpx.AsyncClient(
                    transport=self._transport,
                    verify=trust,
                    proxy=self._settings.proxy,
                    timeout=httpx.Timeout(self.patience.silence, connect=self.patience.connect),
                    limits=httpx.Limits(max_connections=self.profile.parallel, keepalive_expiry=30),
                    headers={"User-Agent": f"dicomweb-mcp/{__version__}"},
                    follow_redirects=False,
                    event_hooks={"response": [_stay]},
                )
                self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # keep none
            return self._client

    def _trust(self) -> ssl.SSLContext:
        """The system's trust store or the configured authority, and the client certificate."""
        if self._settings.ca:
            try:
                context = ssl.create_default_context(cafile=self._file(self._settings.ca, "ca"))
            except ssl.SSLError:
                raise Unreachable(self.name, "ca does not hold certificates of authorities (PEM).") from None
        else:
            import truststore

            context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self._settings.client_cert:
            try:
                context.load_cert_chain(self._file(self._settings.client_cert, "client_cert"))
            except ssl.SSLError:
                raise Unreachable(self.name, "client_cert does not hold a certificate and its key (PEM).") from None
        return context

    def _file(self, path: Path, setting: str) -> Path:
        if not path.is_file():
            raise Unreachable(self.name, f"the file of its setting {setting} does not exist.")
        return path


def too_large(archive: str, most: int) -> NotUnderstood:
    """What is said of an answer of over ``most`` bytes."""
    return NotUnderstood(
        archive,
        f"the answer is larger than the {most / MiB:g} MiB that this program accepts here. "
        "Ask for less: one series or instance, fewer frames, or fewer fields.",
    )


def _coding(response: httpx.Response) -> str:
    return str(response.headers.get("content-encoding", "")).strip().lower()


async def _stay(response: httpx.Response) -> None:
    """Forget where a redirect leads, which httpx would read although it is not followed."""
    response.headers.pop("location", None)


def _patience_of(error: Exception) -> float:
    """How many seconds without a byte the request of a ReadTimeout was given."""
    return float(error.request.extensions["timeout"]["read"]) if isinstance(error, httpx.ReadTimeout) else 0
