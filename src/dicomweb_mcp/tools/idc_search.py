"""search_idc: cohorts of the Imaging Data Commons, from its offline index."""

from bisect import bisect_left
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field
from typing_extensions import TypeAliasType

from ..dicom.values import clean
from ..idc.wheel import release
from ..services.app import App
from ..services.idc.asking import idc_archive
from ..services.idc.search import FoundInIndex, IdcQuery, search_index
from .answers import LIST_BUDGET, CohortAnswer, result, size
from .arguments import Limit, Offset
from .lists import LONGEST_NOTE, MOST_NOTES, shared_by_all

GroupBy = Literal[
    "collection", "analysis_result", "modality", "body_part", "manufacturer", "model", "sex", "license",
    "transfer_syntax", "sop_class", "bucket", "derived", "year", "release", "patient", "study",
]  # fmt: skip
OWN = ("SeriesInstanceUID",)  # what a row keeps although all share it
LONGEST_SAID = 300  # of how one filter was understood

Words = TypeAliasType("Words", str | int | list[str | int] | None)  # described once in the schema


async def search_idc(
    ctx: Context[App],
    collection: Annotated[Words, Field(description="collection_id or name, such as nlst or TCGA-LUAD")] = None,
    analysis_result: Annotated[Words, Field(description="ID or title of a derived data set")] = None,
    modality: Annotated[Words, Field(description="CT, MR, PT, SM, SEG, ...; a list is any of")] = None,
    body_part: Annotated[Words, Field(description="BodyPartExamined; slides have none")] = None,
    manufacturer: Annotated[Words, Field(description="The bare name means all spellings")] = None,
    model: Annotated[Words, Field(description="ManufacturerModelName")] = None,
    sex: Annotated[Words, Field(description="F, M or O")] = None,
    age: Annotated[Words, Field(description="Completed years: 50, 50..60, >=65, <18")] = None,
    study_date: Annotated[Words, Field(description="2001, 2001-05, 2001-01-01..2003-12-31, >=2010")] = None,
    license: Annotated[Words, Field(description="CC BY, CC BY-NC 4.0, ...")] = None,
    transfer_syntax: Annotated[Words, Field(description="UID or name")] = None,
    text: Annotated[
        str | None, Field(description="Words, all of them in SeriesDescription or StudyDescription")
    ] = None,
    cancer_type: Annotated[Words, Field(description="Of whole collections")] = None,
    tumor_location: Annotated[Words, Field(description="Of whole collections")] = None,
    species: Annotated[Words, Field(description="Of whole collections: Human, Mouse, ...")] = None,
    patient_id: Annotated[Words, Field(description="PatientID; unique within a collection only")] = None,
    study_uid: Annotated[Words, Field(description="StudyInstanceUIDs")] = None,
    series_uid: Annotated[Words, Field(description="SeriesInstanceUIDs")] = None,
    new_since: Annotated[
        str | int | None, Field(description="A release such as v24: what was added, revised and removed after it")
    ] = None,
    derived: Annotated[
        Literal["include", "exclude", "only"], Field(description="Analysis results beside original data")
    ] = "include",
    same_patient_has: Annotated[
        Words, Field(description="Modalities that the same patient has too, each of them")
    ] = None,
    same_study_has: Annotated[Words, Field(description="Modalities that the same study has too, each of them")] = None,
    group_by: Annotated[
        GroupBy | Annotated[list[GroupBy], Field(max_length=2)] | None,
        Field(description="Rows are groups instead of series; one or two"),
    ] = None,
    fields: Annotated[list[str] | None, Field(description="Columns of the index, in place of the usual ones")] = None,
    limit: Limit = 25,
    offset: Offset = 0,
    order: Annotated[str | None, Field(description="Column to sort by, -Column for descending")] = None,
) -> Annotated[CallToolResult, CohortAnswer]:
    """Find data in the NCI Imaging Data Commons (IDC) by collection, modality, body part, scanner, patient, licence and
    more, offline, in the index of one release. No request is sent.

    Values are checked against those that exist: an unknown one is refused with the nearest real ones and how many
    series have them. Case and spelling do not matter; * stands for any characters; understood says what was taken.
    counts, licenses and groups are of all matches; rows are series (or groups with group_by), page by page.
    without_value counts series that could match but say nothing about a filter: many attributes are often empty.
    Filters are joined by and; a list is any of its values. "CT of patients who also have slides":
    modality="CT", same_patient_has="SM". "What is new": new_since="v24". A UID: study_uid or series_uid.
    Take UIDs of rows to get_metadata, render_frame, describe_slide and others, with archive as in the answer.
    Not in the index: acquisition parameters, stains, segment names, clinical data: query_idc_index says where they are.
    """
    by = [group_by] if isinstance(group_by, str) else list(dict.fromkeys(group_by or ()))
    given = {
        "collection": collection, "analysis_result": analysis_result, "modality": modality, "body_part": body_part,
        "manufacturer": manufacturer, "model": model, "sex": sex, "age": age, "study_date": study_date,
        "license": license, "transfer_syntax": transfer_syntax, "text": text, "cancer_type": cancer_type,
        "tumor_location": tumor_location, "species": species, "patient_id": patient_id, "study_uid": study_uid,
        "series_uid": series_uid, "new_since": new_since, "derived": None if derived == "include" else derived,
        "same_patient_has": same_patient_has, "same_study_has": same_study_has,
    }  # fmt: skip
    found = await search_index(IdcQuery(given, by, fields, order, limit, offset))
    return result(cohort_answer(idc_archive(ctx.request_context.lifespan_context), found))


def cohort_answer(archive: str, found: FoundInIndex) -> CohortAnswer:
    """The answer within its budget: rows give way, and ``next_offset`` goes on with the first that did."""
    rows = [{key: value for key, value in row.items() if value is not None} for row in found.rows]
    whole = _answer(archive, found, rows)
    if size(whole) <= LIST_BUDGET:
        return whole
    fits = bisect_left(
        range(1, len(rows)), True, key=lambda kept: size(_answer(archive, found, rows[:kept])) > LIST_BUDGET
    )
    return _answer(archive, found, rows[: max(fits, 1)])


def _answer(archive: str, found: FoundInIndex, rows: list[dict[str, Any]]) -> CohortAnswer:
    end = found.query.offset + len(rows)
    more = end < found.total and bool(rows)
    notes = [clean(note, LONGEST_NOTE) for note in found.notes[:MOST_NOTES]]
    if len(found.notes) > MOST_NOTES:
        notes.append(f"{len(found.notes) - MOST_NOTES} more notes were left out.")
    if len(rows) < len(found.rows):
        notes.append(
            f"{len(rows)} of {len(found.rows)} rows fit into one answer: go on with next_offset, or ask for fewer "
            "fields."
        )
    common, rest = shared_by_all(rows, OWN)
    return CohortAnswer(
        archive=archive,
        index_release=release(),
        counts=found.counts,
        licenses=[{"license": name, "series": series} for name, series in found.licenses.items()],
        groups=found.groups,
        understood={name: clean(said, LONGEST_SAID) for name, said in found.understood.items()},
        without_value=found.without_value,
        changes=found.changes,
        returned=len(rows),
        offset=found.query.offset,
        next_offset=end if more else None,
        complete=not more and not (found.query.offset and not rows and found.total),
        total=found.total,
        order=found.order,
        notes=notes,
        common=common,
        rows=rest,
    )
