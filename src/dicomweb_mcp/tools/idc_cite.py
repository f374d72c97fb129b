"""cite_idc: licences, citations, viewer links and downloads of series of IDC, from the offline index."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from ..dicom.values import clean
from ..idc.citations import PAPER_DOI, PAPER_TEXT, acknowledgement, paper_bibtex
from ..idc.downloads import Bucket
from ..idc.licences import Licence, verdict
from ..idc.wheel import release
from ..services.app import App
from ..services.idc.asking import idc_archive
from ..services.idc.cite import Cited, Source, cite
from ..services.permits import why_nothing_is_written
from ..settings import Settings
from .answers import LIST_BUDGET, CitationAnswer, result, size

READ = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITE = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
MOST_UIDS = 1_000
MOST_MISSING = 20
LONGEST_UID = 80
Style = Literal["apa", "bibtex"]


async def cite_idc(
    ctx: Context[App],
    uids: Annotated[
        list[Annotated[str, Field(max_length=200)]] | None,
        Field(max_length=MOST_UIDS, description="StudyInstanceUIDs (with all their series) or SeriesInstanceUIDs"),
    ] = None,
    collection: Annotated[
        str | None, Field(max_length=200, description="collection_id or analysis_result_id, in place of uids")
    ] = None,
    style: Annotated[Style, Field(description="The form of the citations")] = "apa",
    manifest: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=4_096,
            description="Also write an s5cmd manifest of all series to this new file below a file root",
        ),
    ] = None,
) -> Annotated[CallToolResult, CitationAnswer]:
    """Licences, citations and downloads of data of the Imaging Data Commons (IDC).

    Answers offline for studies and series by UID, or for a whole collection or analysis result: licences by number of
    series, citations by DOI with the paper on IDC itself, links to IDC's viewers, files and size, and commands to
    download them from public buckets (nothing is downloaded here). Licences belong to series: one collection may have
    several. UIDs that are not in the release are named with the reason. When you tell others of results, give all of
    the citations and the release.
    """
    app = ctx.request_context.lifespan_context
    cited = await cite(app, uids, collection, manifest)
    return result(citation_answer(idc_archive(app), cited, style))


def annotations(settings: Settings) -> ToolAnnotations:
    """Reading, unless it can write a manifest."""
    return READ if why_nothing_is_written(settings) else WRITE


def writing(settings: Settings) -> str:
    """The sentence of the tool's description on manifests."""
    return f"manifest is refused here: {why_nothing_is_written(settings)}" if why_nothing_is_written(settings) else ""


def citation_answer(archive: str, cited: Cited, style: Style) -> CitationAnswer:
    """The answer within its budget. Texts of the DOIs with fewest series give way first, then these DOIs."""
    rows = [_row(source, style) for source in cited.sources]
    answer = CitationAnswer(
        archive=archive,
        index_release=release(),
        notes=[*cited.notes, *_notes(cited)],
        selection=cited.words,
        counts={**cited.counts, "size_MB": round(cited.size_mb, 2), "size_GB": round(cited.size_mb / 1000, 2)},
        licenses=[_licence(licence) for licence in cited.licences],
        commercial_use=verdict(cited.licences),
        citations=[_paper(style), *rows],
        acknowledgement=acknowledgement(release()),
        viewer=cited.links,
        buckets=[_bucket(bucket) for bucket in cited.buckets],
        download=cited.commands,
        manifest=clean(str(cited.manifest.path), 4_096) if cited.manifest else "",
        not_found=[
            {"UID": clean(uid, LONGEST_UID), "reason": reason}
            for uid, reason in list(cited.missing.items())[:MOST_MISSING]
        ],
    )
    return _fitted(answer, rows, style)


def _fitted(answer: CitationAnswer, rows: list[dict[str, Any]], style: Style) -> CitationAnswer:
    bare = [{key: value for key, value in row.items() if key != "text"} for row in rows]
    notes = answer.notes

    def with_texts(count: int) -> CitationAnswer:
        note = (
            f"Texts of {len(rows) - count:,} of the {len(rows):,} DOIs did not fit: call again with fewer UIDs, "
            "or with series of these DOIs alone."
        )
        return answer.model_copy(
            update={"citations": [_paper(style), *rows[:count], *bare[count:]], "notes": [*notes, note]}
        )

    def with_dois(count: int) -> CitationAnswer:
        note = f"{len(rows) - count:,} of the {len(rows):,} DOIs did not fit, and no texts: call again with fewer UIDs."
        return answer.model_copy(update={"citations": [_paper(style), *bare[:count]], "notes": [*notes, note]})

    if size(answer) <= LIST_BUDGET:
        return answer
    return _most(with_texts, len(rows)) or _most(with_dois, len(rows)) or with_dois(0)


def _most(shorter: Callable[[int], CitationAnswer], count: int) -> CitationAnswer | None:
    """The answer with as many as fit, fewer than ``count``; None when not even one without any does."""
    fits, too_many = -1, count
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if size(shorter(middle)) <= LIST_BUDGET:
            fits = middle
        else:
            too_many = middle
    return shorter(fits) if fits >= 0 else None


def _row(source: Source, style: Style) -> dict[str, Any]:
    row: dict[str, Any] = {"DOI": source.doi or "none", "series": source.series, "license": ", ".join(source.licences)}
    if source.citation:
        row["text"] = source.citation.bibtex if style == "bibtex" else source.citation.text
    return row


def _paper(style: Style) -> dict[str, Any]:
    return {"DOI": PAPER_DOI, "of": "IDC itself", "text": paper_bibtex() if style == "bibtex" else PAPER_TEXT}


def _licence(licence: Licence) -> dict[str, Any]:
    row = {
        "license": licence.name,
        "series": licence.series,
        "share": f"{licence.share:.1%}",
        "size_MB": round(licence.size_mb, 2),
        "commercial_use": str(licence.use),
        "terms": licence.terms,
    }
    return {key: value for key, value in row.items() if value != ""}


def _bucket(bucket: Bucket) -> dict[str, Any]:
    google = {"google": bucket.google} if bucket.google else {}
    return {"aws": bucket.aws, **google, "series": bucket.series, "size_MB": round(bucket.size_mb, 2)}


def _notes(cited: Cited) -> list[str]:
    notes = []
    if without := [source for source in cited.sources if source.citation is None]:
        count = sum(source.series for source in without)
        notes.append(f"For {count:,} series the index has no text to cite: look their DOI up, or their collection.")
    if len(cited.missing) > MOST_MISSING:
        notes.append(f"{len(cited.missing):,} UIDs were not found; the first {MOST_MISSING} are named.")
    if cited.manifest:
        notes.append(f"The manifest has a line for each of {cited.manifest.series:,} series.")
    return notes
