"""What may be done with series of IDC, what to cite for them, and how to get their files; all of it offline."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anyio import to_thread

from ...dicom.values import clean
from ...errors import BadArgument
from ...idc import downloads
from ...idc.citations import Citation, texts
from ...idc.index import Row, Session
from ...idc.licences import NOT_STATED, Licence, licences, terms_of
from ...idc.links import MOST as MOST_LINKS
from ...idc.links import links
from ...idc.selection import Place, Selection, by_collection, by_uids
from ...idc.wheel import release
from ...settings import Settings
from ..app import App
from ..permits import why_nothing_is_written
from .asking import ask
from .manifest_file import free_place, write


@dataclass(frozen=True)
class Source:
    """Where series come from. ``citation`` is None where the index has no text for the DOI."""

    doi: str
    series: int
    licences: tuple[str, ...]
    citation: Citation | None


@dataclass(frozen=True)
class Manifest:
    """A manifest that was written."""

    path: Path
    series: int


@dataclass
class Cited:
    """All that is known of a selection."""

    words: str
    counts: dict[str, int]
    size_mb: float
    licences: list[Licence]
    sources: list[Source]
    links: list[str]
    buckets: list[downloads.Bucket]
    commands: list[str]
    missing: dict[str, str]
    notes: list[str] = field(default_factory=list)
    manifest: Manifest | None = None


async def cite(app: App, uids: Sequence[str] | None, collection: str | None, manifest: str | None = None) -> Cited:
    """Licences, citations, links and files of all series of these studies, of these series, or of a collection.

    Raises BadArgument, IndexProblem, and NotWritten when everything was found but no manifest could be written.
    """
    wanted = (collection or "").strip()
    if bool(uids) == bool(wanted):
        raise BadArgument(
            "Give uids (StudyInstanceUIDs or SeriesInstanceUIDs) or collection (the id of a collection or analysis "
            "result), one of the two."
        )
    roots = app.settings.files.roots
    if manifest is not None:
        if refused := why_nothing_is_written(app.settings):
            raise BadArgument(f"{refused} Leave manifest out to get the rest.")
        await to_thread.run_sync(free_place, manifest, roots)

    def work(session: Session) -> tuple[Cited, list[Place]]:
        selection = by_uids(session, uids) if uids else by_collection(session, wanted)
        return _cited(session, selection), selection.places(session) if manifest is not None else []

    cited, places = await ask(work)
    if manifest is None:
        cited.notes += _how_to_get_all(cited, app.settings)
    else:
        fit = downloads.fit_for_commands(places)
        lines = downloads.manifest(fit, _about(cited))
        path = await to_thread.run_sync(write, manifest, roots, lines)
        cited.manifest = Manifest(path, len(fit))
        if len(fit) < len(places):
            cited.notes.append(f"{len(places) - len(fit):,} series are not in it: their place has no usual name.")
        cited.commands += downloads.by_manifest(str(path))
    return cited


def _cited(session: Session, selection: Selection) -> Cited:
    groups = selection.groups(session)
    counts = selection.counts(session)
    series, size_mb = sum(row["series"] for row in groups), sum(row["size_mb"] or 0.0 for row in groups)
    few = downloads.fit_for_commands(selection.places(session)) if series <= downloads.MOST_SERIES else []
    cited = Cited(
        words=selection.words,
        counts={
            **{name: counts[name] for name in ("collections", "patients", "studies")},
            "series": series,
            "instances": sum(row["instances"] or 0 for row in groups),
        },
        size_mb=size_mb,
        licences=_licences(session, groups),
        sources=_sources(session, groups),
        links=links(session, selection),
        buckets=downloads.buckets((row["bucket"], row["series"], row["size_mb"] or 0.0) for row in groups),
        commands=[*downloads.by_selection(selection), *downloads.by_series(few)],
        missing=dict(selection.missing),
    )
    cited.notes = [*_what_may_surprise(groups, size_mb), *_which_links(selection)]
    return cited


def _licences(session: Session, groups: Sequence[Row]) -> list[Licence]:
    amounts = [(row["licence"], row["series"], row["size_mb"] or 0.0) for row in groups]
    return licences(amounts, terms_of(session))


def _sources(session: Session, groups: Sequence[Row]) -> list[Source]:
    """By DOI, those with most series first."""
    series: Counter[str] = Counter()
    under: dict[str, set[str]] = {}
    for row in groups:
        doi = row["doi"] or ""
        series[doi] += row["series"]
        under.setdefault(doi, set()).add(clean(row["licence"] or NOT_STATED))
    known = texts(session, [doi for doi in series if doi])
    return [
        Source(clean(doi), count, tuple(sorted(under[doi])), Citation(doi, known[doi]) if doi in known else None)
        for doi, count in sorted(series.items(), key=lambda item: (-item[1], item[0]))
    ]


def _what_may_surprise(groups: Sequence[Row], size_mb: float) -> list[str]:
    modalities: Counter[str] = Counter()
    for row in groups:
        modalities[clean(row["modality"] or "")] += row["series"]
    results = sum(row["series"] for row in groups if row["is_result"])
    return downloads.warnings(modalities, results, size_mb)


def _which_links(selection: Selection) -> list[str]:
    if not selection.is_uids:
        return ["viewer: one study of it as an example."]
    if len(selection.ids) > MOST_LINKS:
        return [f"viewer: the first {MOST_LINKS} of the {len(selection.ids):,} UIDs."]
    return []


def _how_to_get_all(cited: Cited, settings: Settings) -> list[str]:
    """What a manifest is good for, where the commands do not name each series."""
    if cited.counts["series"] <= downloads.MOST_SERIES:
        return []
    if refused := why_nothing_is_written(settings):
        return [] if cited.commands else [f"Too many UIDs for one command; a manifest would name all. {refused}"]
    return ["For exactly these series in one download let a manifest be written: manifest=FILE, below a file root."]


def _about(cited: Cited) -> list[str]:
    counted = ", ".join(f"{count} {name}" for name, count in cited.counts.items())
    return [
        f"Imaging Data Commons (IDC), release {release()}: {cited.words}",
        f"{counted}; {cited.size_mb:.2f} MB",
        "Files of these series, from Amazon's buckets, which need no login:",
        f"s5cmd --no-sign-request --endpoint-url {downloads.AWS} run THIS_FILE",
    ]
