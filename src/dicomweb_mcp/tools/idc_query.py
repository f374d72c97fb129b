"""query_idc_index: SQL over the offline index of IDC."""

from bisect import bisect_left
from collections.abc import Sequence
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..idc.query import LONGEST_CELL, MOST_ROWS, Queried
from ..idc.sandbox import LONGEST_SQL
from ..idc.wheel import release
from ..services.app import App
from ..services.idc.asking import idc_archive
from ..services.idc.query import query
from .answers import LIST_BUDGET, QueryAnswer, cell, result, size

SHORTER = (120, 40, 5)  # characters of a value, one after the other, in a row that does not fit otherwise


async def query_idc_index(
    ctx: Context[App],
    sql: Annotated[str, Field(description=f"One SELECT in DuckDB's dialect, at most {LONGEST_SQL:,} characters")],
    max_rows: Annotated[int, Field(ge=1, le=MOST_ROWS, description="Rows of the answer")] = 100,
) -> Annotated[CallToolResult, QueryAnswer]:
    """Ask the offline index of the Imaging Data Commons (IDC) in SQL. No network. search_idc is the first choice; use
    SQL for joins, distributions, windows and whatever else it lacks.

    Tables: index (a row per series), collections_index (sources is a list of structs: FROM collections_index,
    unnest(sources) AS t(s), then s.source_doi, s.license.license_short_name), analysis_results_index,
    prior_versions_index (series of earlier releases), version_metadata_index. DESCRIBE table lists the columns.
    Main columns of index: collection_id, analysis_result_id (only derived series have one), PatientID, PatientAge
    (like 066Y), PatientSex, StudyInstanceUID, SeriesInstanceUID, StudyDate, StudyDescription, SeriesDescription,
    Modality, BodyPartExamined, Manufacturer, ManufacturerModelName, SOPClassUID, TransferSyntaxUID, instanceCount,
    series_size_MB, license_short_name, source_DOI, aws_bucket, crdc_series_uuid, series_init_idc_version,
    series_revised_idc_version.

    Texts differ in letter case and spelling: use ILIKE. Dates are text like 2001-02-03, shifted by de-identification.
    PatientID is unique only within a collection: count DISTINCT (collection_id, PatientID). Several cells are comma
    lists (PhotometricInterpretation, collections, tumor_locations): string_split them. Acquisition parameters, slide
    stains, contents of SEG and clinical data are not in it: the error says where they are.

    complete=true: every row is here, with whole values. Otherwise notes say what was cut: use LIMIT and OFFSET with
    ORDER BY, fewer columns, or aggregates. Integers above 2^53 and nan are written as text.
    Example: SELECT collection_id, count(*) AS series FROM index WHERE Modality = 'MR' GROUP BY ALL ORDER BY series DESC
    """
    found = await query(sql, max_rows)
    return result(_fitted(idc_archive(ctx.request_context.lifespan_context), found))


def _fitted(archive: str, found: Queried) -> QueryAnswer:
    """The answer with as many rows as fit into both halves, at least one; the last resort is to shorten its values."""

    def answer(kept: int, longest: int = LONGEST_CELL) -> QueryAnswer:
        rows = found.rows[:kept]
        notes = _notes(found, kept)
        if longest < LONGEST_CELL:
            rows = [{name: _short(value, longest) for name, value in row.items()} for row in rows]
            notes.append(f"Values were cut to {longest} characters: ask for fewer columns.")
        return QueryAnswer(
            archive=archive,
            index_release=release(),
            notes=notes,
            returned=kept,
            complete=not (found.more or found.cut or kept < len(found.rows) or longest < LONGEST_CELL),
            rows=rows,
        )

    whole = answer(len(found.rows))
    if size(whole) <= LIST_BUDGET:
        return whole
    fits = bisect_left(range(1, len(found.rows)), True, key=lambda kept: size(answer(kept)) > LIST_BUDGET)
    if fits:
        return answer(fits)
    shorter = (answer(1, longest) for longest in SHORTER)
    return next((one for one in shorter if size(one) <= LIST_BUDGET), answer(1, SHORTER[-1]))


def _notes(found: Queried, kept: int) -> list[str]:
    notes = []
    if not found.rows:
        notes.append("No rows. = and IN compare letter by letter: try ILIKE, or SELECT DISTINCT to see the values.")
    if kept < len(found.rows):
        notes.append(
            f"{kept} of {len(found.rows)} rows fit into one answer: ask for fewer columns, or page with OFFSET."
        )
    if found.more:
        notes.append("There are more rows than max_rows: page with LIMIT, OFFSET and ORDER BY, or aggregate.")
    if found.cut:
        notes.append(f"Values longer than {LONGEST_CELL} characters were cut in: {_named(found.cut)}.")
    return notes


def _named(columns: Sequence[str]) -> str:
    return ", ".join(columns[:10]) + (" and others" if len(columns) > 10 else "")


def _short(value: Any, longest: int) -> Any:
    if value is None or isinstance(value, bool | int | float) or len(cell(value)) <= longest:
        return value
    return cell(value)[:longest] + "..."
