"""A DICOMweb server as an archive: QIDO-RS and WADO-RS (PS3.18 10.4 and 10.6) by the row of its kind."""

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
from anyio import lowlevel, move_on_after, to_thread

from ..dicom.native_xml import from_native_xml
from ..dicom.query import Plan
from ..dicom.rules import Level
from ..dicom.stow import StoreResponse, store_response
from ..dicom.tags import Attribute
from ..dicom.uids import EXPLICIT
from ..dicom.values import DicomJson, clean, normalized, transfer_syntaxes
from ..settings import ArchiveSettings
from .arriving import Arriving
from .base import (
    NO_CHOICE,
    ArchiveError,
    Busy,
    Choices,
    Deleted,
    Doomed,
    Failed,
    File,
    Frame,
    Health,
    Media,
    NotFound,
    NotOffered,
    NotUnderstood,
    Page,
    Place,
    Refused,
    Tell,
    Unreachable,
)
from .deletion import deleter
from .dialects import query_string, reason
from .failures import BY_KIND, NO_DICOMWEB, no_dicomweb
from .multipart import BadMultipart, MediaType, Part, parts
from .objects import LARGE, rows_of
from .part10.outgoing import Outgoing
from .profiles import ANY_SYNTAX, AS_STORED, DECOMPRESSED_FILES, FILES, PROFILES, Profile
from .stow import json_body, store_body
from .usage import MOST, SECONDS, Usage, usage_of
from .wire import Answer, MiB, Patience, Wire

JSON = "application/json"
DICOM_JSON = "application/dicom+json"
# Bytes of one answer, decoded
MOST_SEARCH = 64 * MiB
MOST_METADATA = 2_048 * MiB  # never held at once
MOST_PICTURE = 32 * MiB
MOST_VERDICT = 16 * MiB
MOST_FRAMES = 512 * MiB
MOST_FILES = 64 * 1024 * MiB
NOT_DECOMPRESSED = (400, 406, 415, 500, 501)  # a request for files in another transfer syntax than theirs
PLAIN = ("/studies", "limit=1")  # a search that every server takes
TURNS_AWAY_CHOICES = (400, 403, 404, 405, 406, 415, 501)  # a request as a whole, whatever its files are
PICTURES = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff"}  # media type -> how such bytes begin


class DicomwebArchive:
    """One DICOMweb server. ``transport`` and ``patience`` are for tests."""

    def __init__(
        self,
        settings: ArchiveSettings,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._wire = Wire(settings, PROFILES[settings.resolved_kind], transport=transport, patience=patience)
        self._settled = settings.kind is not None or settings.resolved_kind != "orthanc"
        self._took: set[Choices] = set()  # choices with which something was stored

    @property
    def name(self) -> str:
        return self._wire.name

    @property
    def profile(self) -> Profile:
        return self._wire.profile

    @property
    def address(self) -> str:
        return self._wire.base

    async def settle(self) -> Profile:
        """The profile. A server taken for Orthanc by its path is asked once for Orthanc's ``/system``."""
        if not self._settled:
            root = self._wire.base.removesuffix("/dicom-web")
            try:
                answer = await self._wire.get("/system", accept=JSON, most=MiB, base=root)
                is_orthanc = isinstance(json.loads(answer.body), dict) and b"DatabaseVersion" in answer.body
            except (Unreachable, Busy):
                return self.profile  # nothing was learned: ask again next time
            except (NotFound, NotUnderstood, Refused, Failed, ValueError):
                is_orthanc = False
            except ArchiveError:
                is_orthanc = True  # 401, 403: it may well be; its rules are the safer ones
            self._settled = True
            if not is_orthanc:
                self._wire.profile = PROFILES["generic"]
        return self.profile

    async def search(self, plan: Plan, *, limit: int, offset: int) -> Page:
        answer = await self._searched(_search_path(plan), _search_query(plan, limit, offset))
        warning = answer.headers.get("warning", "")
        remaining = re.search(r"299\s+\S+\s+\"?There are (\d{1,12}) additional results", warning)
        return Page(rows=await self._objects(answer), remaining=int(remaining[1]) if remaining else None)

    async def metadata(self, place: Place) -> AsyncGenerator[DicomJson, None]:
        arriving = Arriving(self.name)
        seconds = self._wire.patience.metadata
        async with (
            self._wire.stream(
                f"{place.path}/metadata", accept=DICOM_JSON, most=MOST_METADATA, seconds=seconds
            ) as stream,
            aclosing(stream.chunks) as chunks,
        ):
            async for chunk in chunks:
                arriving.feed(chunk)
                while arriving.is_due:
                    for obj in await _split(arriving, arriving.whole):
                        yield obj
                    await lowlevel.checkpoint()
        for obj in await _split(arriving, arriving.rest):
            yield obj
        if not arriving.count:
            raise NotFound(self.name, f"has no {place}. Copy UIDs whole from a search answer.")

    async def frames(self, place: Place, numbers: Sequence[int], *, decoded: bool = False) -> list[Frame]:
        found: list[Frame] = []
        step = self.profile.frames_per_request
        accepts = tuple(accept for accept in self.profile.frame_accepts if not (decoded and ANY_SYNTAX in accept))
        if not accepts:
            raise Refused(self.name, "gives frames as they are stored.")
        for start in range(0, len(numbers), step):
            found += await self._frames(place, numbers[start : start + step], accepts)
        return found

    def to_fetch(self, place: Place, numbers: Sequence[int]) -> int:
        return len(numbers)

    async def rendered(self, place: Place, frame: int, *, viewport: tuple[int, int]) -> Media:
        if not self.profile.renders:
            raise Refused(self.name, "does not render pictures.")
        width, height = viewport
        answer = await self._wire.get(
            f"{place.path}/frames/{frame}/rendered",
            accept="image/png",
            query=f"viewport={width},{height}",
            most=MOST_PICTURE,
        )
        media_type = MediaType.parse(answer.content_type).type
        magic = PICTURES.get(media_type)
        if magic is None or not answer.body.startswith(magic):
            raise NotUnderstood(self.name, "answered a request for a picture with something else.")
        return Media(answer.body, media_type)

    async def instances(self, place: Place, *, as_stored: bool = True) -> AsyncGenerator[File, None]:
        accept = FILES if as_stored else DECOMPRESSED_FILES
        seconds = self._wire.patience.stream
        try:
            async with (
                self._wire.stream(place.path, accept=accept, most=MOST_FILES, seconds=seconds) as stream,
                aclosing(self._parts(stream.content_type, stream.chunks)) as arriving,
            ):
                async for part in arriving:
                    yield File(part.media_type.transfer_syntax, part.chunks)
        except ArchiveError as problem:
            if as_stored or problem.status not in NOT_DECOMPRESSED:
                raise
            said = f"could not give it decompressed ({problem.status}){f': {problem.said}' if problem.said else ''}"
            raise Refused(self.name, f"{said}. as_stored=true fetches it as it is stored.") from None

    async def bulkdata(self, place: Place, uri: str) -> bytes:
        path, base = self._bulk_path(place, uri)
        answer = await self._wire.get(path, accept=AS_STORED, most=MOST_FRAMES, base=base)
        return b"".join([data for _, data in await self._bodies(answer, 1)])

    async def store(
        self, files: Sequence[Outgoing], study_uid: str | None = None, choices: Choices = NO_CHOICE
    ) -> StoreResponse:
        """STOW-RS, PS3.18 10.5: one request. Its status is only believed where the body says nothing of any file."""
        path = f"/studies/{study_uid}" if study_uid else "/studies"
        body = await to_thread.run_sync(json_body, files) if choices.send_json else store_body(files)
        if choices.storage_class:
            body = replace(body, headers={"Storage-Class": choices.storage_class})
        answer = await self._wire.post(path, body, accept=DICOM_JSON, most=MOST_VERDICT)
        said = self._store_response(answer)
        if any(verdict.stored for verdict in said.verdicts.values()):
            self._took.add(choices)
        if said.verdicts or said.others or 200 <= answer.status < 300:
            return said
        raise self._not_stored(answer, choices)

    def _not_stored(self, answer: Answer, choices: Choices) -> ArchiveError:
        """The error for a request of which the answer says nothing of any file."""
        why = reason(answer.body, answer.content_type)
        if choices not in {NO_CHOICE, *self._took} and answer.status in TURNS_AWAY_CHOICES:
            return NotOffered(
                self.name,
                f"did not store with {choices} ({answer.status}){f': {why}' if why else ''}. Nothing of this request "
                "was stored. Leave that out and store again; if it is refused then too, that was not the reason.",
            )
        if answer.status in (404, 405, 415, 501):
            return NotOffered(
                self.name, f"takes no files at its address ({answer.status}): it may be for reading only."
            )
        if answer.status in (400, 409):
            return Refused(
                self.name, f"did not take it ({answer.status}){f': {why}' if why else ' and gave no reason'}."
            )
        return self._wire.failure(answer)

    def _store_response(self, answer: Answer) -> StoreResponse:
        """The response's verdicts, also those of a failure; none where the body is no Store Instances Response."""
        try:
            found = from_native_xml(answer.body) if answer.body.lstrip()[:1] == b"<" else json.loads(answer.body)
        except (ValueError, RecursionError):
            return StoreResponse({})
        if isinstance(found, list) and len(found) == 1:  # Google's errors come in a list of one
            found = found[0]
        return store_response(normalized(found if isinstance(found, dict) else {}), self.profile.store_reasons)

    async def storage_class(self, place: Place) -> str:
        """Google's StorageInfo of an instance, beside DICOMweb."""
        if not self.profile.storage_classes:
            return ""
        answer = await self._wire.get(f"{place.path}:getStorageInfo", accept=JSON, most=MiB)
        try:
            found = json.loads(answer.body)["blobStorageInfo"]["storageClass"]
        except (ValueError, RecursionError, LookupError, TypeError):
            return ""
        return found if found in self.profile.storage_classes else ""

    async def doomed(self, place: Place) -> Doomed:
        return await deleter(self._wire, await self.settle()).doomed(place)

    async def delete(self, place: Place, instances: Collection[str], doomed: Doomed, tell: Tell) -> Deleted:
        """Deleting is no part of PS3.18: each kind of server has a way of its own, or none."""
        return await deleter(self._wire, await self.settle()).delete(place, doomed, tell)

    def forget(self, place: Place) -> None:
        """Nothing is remembered here."""

    async def probe(self) -> Health:
        try:
            await self.settle()
            await self._objects(await self._searched(*PLAIN))
        except ArchiveError as problem:
            usage = await self._usage() if isinstance(problem, Busy) else {}  # it may be the quota
            return Health(reachable=False, problem=str(problem), usage=usage)
        return Health(reachable=True, usage=await self._usage())

    async def close(self) -> None:
        await self._wire.close()

    async def _searched(self, path: str, query: str) -> Answer:
        """The answer to a search. One without UIDs in its path that is declined may have been asked where there is no
        DICOMweb at all, which a plain search tells from a filter that the server does not take."""
        try:
            return await self._wire.get(path, accept=DICOM_JSON, query=query, most=MOST_SEARCH)
        except (NotFound, NotOffered, Refused) as problem:
            if problem.status not in NO_DICOMWEB or path.startswith("/studies/") or self.profile.kind in BY_KIND:
                raise
            if (path, query) == PLAIN:
                raise no_dicomweb(self.name, self._wire.base, problem) from None
            await self._searched(*PLAIN)
            raise

    async def _usage(self) -> Usage:
        """What the server says that it has counted; nothing where it does not say it, which is no failure."""
        if not self.profile.usage_path:
            return {}
        address = urlsplit(self._wire.base)
        root = f"{address.scheme}://{address.netloc}"
        try:
            with move_on_after(SECONDS):
                answer = await self._wire.get(self.profile.usage_path, accept=JSON, most=MOST, base=root)
                return usage_of(answer.body)
        except ArchiveError:
            pass
        return {}

    async def _frames(self, place: Place, numbers: Sequence[int], accepts: Sequence[str]) -> list[Frame]:
        """One request's frames; the media types are tried in turn while the server declines."""
        path = f"{place.path}/frames/{','.join(map(str, numbers))}"
        for position, accept in enumerate(accepts, start=1):
            try:
                answer = await self._wire.get(path, accept=accept, most=MOST_FRAMES)
                break
            except (Refused, Failed):
                if position == len(accepts):
                    raise
        bodies = await self._bodies(answer, len(numbers))
        if answer.status == 206 or len(bodies) < len(numbers):
            raise NotFound(
                self.name,
                f"gave {len(bodies)} of the {len(numbers)} frames asked for. See NumberOfFrames of the instance.",
            )
        media_type = bodies[0][0]
        syntax = media_type.transfer_syntax or MediaType.parse(answer.content_type).transfer_syntax
        as_stored = ANY_SYNTAX in accept
        if not syntax:
            syntax = await self._stored_syntax(place) if as_stored else EXPLICIT
        return [
            Frame(number, data, media.transfer_syntax or syntax, as_stored)
            for number, (media, data) in zip(numbers, bodies, strict=True)
        ]

    async def _stored_syntax(self, place: Place) -> str:
        """The transfer syntax that the metadata names, for stored bytes whose parts do not say it."""
        async with aclosing(self.metadata(place)) as objects:
            async for obj in objects:
                if len(found := transfer_syntaxes(obj)) == 1:
                    return found[0]
        return EXPLICIT

    async def _bodies(self, answer: Answer, most: int) -> list[tuple[MediaType, bytes]]:
        """The parts of an answer read whole; more than ``most`` are NotUnderstood."""
        found: list[tuple[MediaType, bytes]] = []
        async with aclosing(self._parts(answer.content_type, _pieces(answer.body))) as arriving:
            async for part in arriving:
                if len(found) == most:
                    raise NotUnderstood(self.name, f"gave more than the {most} parts asked for. Try again.")
                found.append((part.media_type, b"".join([chunk async for chunk in part.chunks])))
        return found

    async def _parts(self, content_type: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[Part, None]:
        """The parts of a body; HTML and JSON in place of DICOM, and a cut multipart, are NotUnderstood."""
        media_type = MediaType.parse(content_type).type
        if media_type.startswith("text/") or media_type in (JSON, DICOM_JSON):
            raise NotUnderstood(
                self.name, f"answered with {clean(media_type, 40)} where DICOM bytes were due. Check its address."
            )
        try:
            async with aclosing(parts(content_type, chunks)) as arriving:
                async for part in arriving:
                    yield Part(part.headers, self._uncut(part.chunks))
        except BadMultipart as error:
            raise NotUnderstood(self.name, f"{error}. Try again.") from None

    async def _uncut(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """A part's bytes; that the body was cut shows while they are read."""
        try:
            async for chunk in chunks:
                yield chunk
        except BadMultipart as error:
            raise NotUnderstood(self.name, f"{error}. Try again.") from None

    async def _objects(self, answer: Answer) -> Sequence[DicomJson]:
        """The DICOM JSON objects of an answer; 204 and an empty body are none."""
        return [] if answer.status == 204 else await rows_of(self.name, answer.body)

    def _bulk_path(self, place: Place, uri: str) -> tuple[str, str]:
        """Path and base of a BulkDataURI. Servers write hosts that only they know, so what follows ``/studies/`` is
        looked up below the configured base, and nothing else is ever contacted."""
        base = urlsplit(self._wire.base)
        try:
            given = urlsplit(uri)
        except ValueError:
            raise Refused(self.name, "its metadata names a bulk value by an address that is none.") from None
        path = given.path
        if not re.fullmatch(r"[A-Za-z0-9._~/-]{0,2000}", path) or ".." in path.split("/"):
            raise Refused(self.name, "its metadata names a bulk value by an address that is not safe to ask for.")
        if (at := path.find("/studies/")) >= 0:
            return path[at:], self._wire.base
        if not given.scheme and not given.netloc and not path.startswith("/"):
            return f"{place.path}/{path}", self._wire.base  # relative to the metadata's own address
        same_server = (given.scheme or base.scheme, given.netloc or base.netloc) == (base.scheme, base.netloc)
        if same_server and path.startswith(f"{base.path}/"):
            return path, f"{base.scheme}://{base.netloc}"
        raise Refused(self.name, "its metadata names a bulk value on another host, which is not contacted.")


async def _split(arriving: Arriving, split: Callable[[], Sequence[DicomJson]]) -> Sequence[DicomJson]:
    """What ``split`` gives, in a thread when that takes long."""
    return await to_thread.run_sync(split, abandon_on_cancel=True) if arriving.size > LARGE else split()


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), MiB):
        yield body[start : start + MiB]
        await lowlevel.checkpoint()


def _search_path(plan: Plan) -> str:
    """The search resource of PS3.18 10.6.1: below a study or series where the plan names one."""
    path = f"/studies/{plan.study_uid}" if plan.study_uid else ""
    if plan.series_uid and plan.level is Level.INSTANCE:
        path += f"/series/{plan.series_uid}"
    return f"{path}/{plan.level.plural}"


def _search_query(plan: Plan, limit: int, offset: int) -> str:
    pairs = [(_key(item.attribute), item.values) for item in plan.sent]
    if plan.include:
        pairs.append(("includefield", tuple(_key(item) for item in plan.include)))
    if plan.fuzzy:
        pairs.append(("fuzzymatching", ("true",)))
    pairs.append(("limit", (str(limit),)))
    if offset:
        pairs.append(("offset", (str(offset),)))
    return query_string(pairs)


def _key(attribute: Attribute) -> str:
    """The attribute's name in a query: its keyword, or its tag where a server may not know the keyword any more."""
    return attribute.tag if attribute.retired or not attribute.keyword else attribute.keyword
