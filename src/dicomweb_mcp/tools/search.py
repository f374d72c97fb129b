"""search_studies, list_series, list_instances."""

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult

from ..dicom.query import Query
from ..dicom.rules import Level
from ..services.app import App
from ..services.search import search
from .answers import ListAnswer, result
from .arguments import Archive, Count, Fields, Filters, FuzzyNames, Limit, Offset, Order, SeriesUid, StudyUid
from .lists import list_answer


async def search_studies(
    ctx: Context[App],
    archive: Archive = None,
    filters: Filters = None,
    fields: Fields = None,
    limit: Limit = 25,
    offset: Offset = 0,
    order: Order = None,
    count: Count = False,
    fuzzy: FuzzyNames = False,
) -> Annotated[CallToolResult, ListAnswer]:
    """Find imaging studies by patient, date, accession number, description and whatever else the archive can search.

    Filters are checked against the archive's own rules before anything is sent: a misspelt or unsearchable one is
    refused with what can be used instead, never dropped. sent and matched_here say who applied which filter.
    Attributes of a series (BodyPartExamined, SeriesDescription) belong in list_series, which works across studies.

    complete=true means that nothing is missing; false or null means that more may exist: go on with next_offset.
    An empty answer says which of the values the archive does not know, where that is cheap to find out.
    Examples: filters={"PatientID": "P-17", "StudyDate": "2023"}; filters={"PatientName": "Smith"}, fuzzy=true.
    """
    query = Query(Level.STUDY, filters=filters, fields=fields, order=order, fuzzy=fuzzy)
    return await _answer(ctx, archive, query, limit, offset, count)


async def list_series(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    filters: Filters = None,
    fields: Fields = None,
    limit: Limit = 25,
    offset: Offset = 0,
    order: Order = None,
    count: Count = False,
    fuzzy: FuzzyNames = False,
) -> Annotated[CallToolResult, ListAnswer]:
    """List the series of a study, or find series across studies when study_uid is left out.

    The answer names the modality, number, description and size of each series as far as the archive gives them. Use
    filters such as {"Modality": "CT"} or {"Modality": ["SEG", "RTSTRUCT", "SR"]} for derived objects. The same rules
    as in search_studies hold for filters, complete and next_offset. Then look at a series with get_metadata or
    render_frame by its SeriesInstanceUID.
    """
    query = Query(Level.SERIES, study_uid=study_uid, filters=filters, fields=fields, order=order, fuzzy=fuzzy)
    return await _answer(ctx, archive, query, limit, offset, count)


async def list_instances(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    filters: Filters = None,
    fields: Fields = None,
    limit: Limit = 25,
    offset: Offset = 0,
    order: Order = None,
    count: Count = False,
) -> Annotated[CallToolResult, ListAnswer]:
    """List the instances (single images, multi-frame objects, reports) of a series or a study.

    Rarely needed before render_frame, which finds the middle slice of a series by itself. InstanceNumber is not a
    position in space. fields can name any attribute of an instance, for example ["ImagePositionPatient",
    "SliceThickness"]: often cheaper than get_metadata for many instances.
    """
    query = Query(
        Level.INSTANCE, study_uid=study_uid, series_uid=series_uid, filters=filters, fields=fields, order=order
    )
    return await _answer(ctx, archive, query, limit, offset, count)


async def _answer(
    ctx: Context[App], archive: str | None, query: Query, limit: int, offset: int, count: bool
) -> CallToolResult:
    opened = ctx.request_context.lifespan_context.archive(archive)
    found = await search(opened, query, limit=limit, offset=offset, count=count)
    return result(list_answer(opened.name, found, fields_given=query.fields is not None))
