"""Where whole files of the Imaging Data Commons lie: the objects of its public buckets, found by the offline index."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...archives.base import Archive, NotOffered, Place
from ...idc.downloads import fit_for_commands
from ...idc.index import Session
from ...idc.wheel import HOW_TO_INSTALL, is_installed, release
from ..app import App
from ..lookup import nothing_at
from .asking import ask

if TYPE_CHECKING:
    from ...archives.buckets import Bucket, BucketObject

AT_ONCE = 4  # objects that are read at a time
_PLACES = "SELECT SeriesInstanceUID AS series, aws_bucket AS bucket, crdc_series_uuid AS uuid FROM index WHERE {} = ?"


@dataclass(frozen=True)
class Stored:
    """One object: an instance of this series, which one is known when it arrives."""

    series: Place
    bucket: "Bucket"
    object: "BucketObject"

    def opened(self) -> AbstractAsyncContextManager[AsyncGenerator[bytes, None]]:
        """Its bytes as they arrive. Raises ArchiveError, also where they are not as many as they should be."""
        return self.bucket.opened(self.object)


def refuse_without_index(archive: Archive, uid: str) -> None:
    """Raises NotOffered where nothing tells where the files lie."""
    if not is_installed():
        raise NotOffered(
            archive.name,
            "is for looking at single images: whole files come from IDC's public buckets, and without the index it is "
            f"not known where they lie. Run idc download {uid} (of the package idc-index), or {HOW_TO_INSTALL}.",
        )


class Buckets:
    """The buckets behind an archive of IDC, opened as they are needed and closed at the end."""

    def __init__(self, app: App, archive: Archive) -> None:
        self._app, self._archive = app, archive
        self._open: dict[str, Bucket] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for bucket in self._open.values():
            await bucket.close()

    async def stored_at(self, place: Place) -> list[Stored]:
        """The objects of a series, or of all series of a study. Raises ArchiveError, IndexProblem."""
        found: list[Stored] = []
        for series_uid, bucket_name, uuid in await self._series(place):
            bucket = self._bucket(bucket_name)
            series = Place(place.study_uid, series_uid)
            found += [Stored(series, bucket, item) for item in await bucket.objects(uuid)]
        return found

    def _bucket(self, name: str) -> "Bucket":
        from ...archives.buckets import Bucket  # with httpx, which a start does not pay for

        if name not in self._open:
            self._open[name] = Bucket(self._app.configured(self._archive.name), name, self._app.bucket_address)
        return self._open[name]

    async def _series(self, place: Place) -> list[tuple[str, str, str]]:
        """UID, bucket and folder of each series at the place."""

        def look(session: Session) -> list[tuple[str, str, str]]:
            sql = _PLACES.format(place.level.uid)
            rows = session.rows(sql, [place.series_uid or place.study_uid])
            return [(row["series"], row["bucket"] or "", row["uuid"] or "") for row in rows]

        rows = await ask(look)
        if not rows:
            raise await nothing_at(self._archive, place)
        if len(fit_for_commands([(bucket, uuid) for _, bucket, uuid in rows])) < len(rows):
            raise NotOffered(
                self._archive.name,
                f"the index of IDC {release()} does not say in which bucket {place} lies: idc download may know.",
            )
        return rows
