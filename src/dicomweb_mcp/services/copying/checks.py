"""What can be copied from where to where, before anything is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...dicom.uids import checked_uid
from ...errors import BadArgument
from ...paths import is_inside
from ...settings import ArchiveSettings
from ..app import App
from ..idc.objects import refuse_without_index

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Wanted:
    """A study, a series, or instances."""

    study_uid: str | None = None
    series_uid: str | None = None
    instance_uids: Sequence[str] = ()


def check(app: App, from_archive: str | None, to_archive: str | None, wanted: Wanted) -> None:
    """Raises BadArgument for what names nothing, or one archive twice, NotOffered without the index that IDC takes."""
    source, target = app.configured(from_archive), app.configured(to_archive)
    for uid in wanted.instance_uids:
        checked_uid(uid, "instance_uids")
    if not (wanted.study_uid or wanted.series_uid or wanted.instance_uids):
        raise BadArgument("Give study_uid, series_uid or instance_uids, copied from a search answer.")
    if source.name == target.name or (source.url and _server(source) == _server(target)):
        raise BadArgument(
            f"from_archive and to_archive are the same archive, {source.name}: name two. Nothing was sent."
        )
    if source.path is not None and target.path is not None:
        one, other = str(source.path.resolve()), str(target.path.resolve())
        if is_inside(one, other) or is_inside(other, one):
            raise BadArgument(
                f"The folders of {source.name} and {target.name} lie in each other, so copies would be in one of them "
                "twice. Nothing was sent."
            )
    if source.is_read_only:
        refuse_without_index(app.archive(source.name), wanted.series_uid or wanted.study_uid or "SERIES_UID")


def _server(settings: ArchiveSettings) -> tuple[str, str, int | None, str]:
    """What an address names, however it is written."""
    parts = urlsplit(settings.url or "")
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme), parts.path.rstrip("/")
