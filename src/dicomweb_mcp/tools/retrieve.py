"""retrieve_instances: files of an archive into a folder below a file root."""

from collections import Counter
from typing import Annotated

from anyio import to_thread
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field

from ..dicom.values import clean
from ..services.app import App
from ..services.retrieve import Outcome, Retrieval, Wanted, retrieve
from .answers import RetrievalAnswer, result
from .arguments import Archive, SeriesUid, StudyUid
from .file_rows import file_row, fit

FETCH = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
MOST_UIDS = 1_000
MOST_FRAMES = 1_000
LONGEST_PATH = 4_096
WRITTEN_SHOWN = 20
NOT_ASKED_FOR = "not_asked_for"


async def retrieve_instances(
    ctx: Context[App],
    directory: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_PATH,
            description="Folder below a file root, made if missing; relative ones are below the first root",
        ),
    ],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    instance_uids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]] | None,
        Field(max_length=MOST_UIDS, description="SOPInstanceUIDs, in place of all of the series or study"),
    ] = None,
    frames: Annotated[
        list[Annotated[int, Field(ge=1, le=2_147_483_647)]] | None,
        Field(max_length=MOST_FRAMES, description="Frames of one instance by number from 1, each as a file"),
    ] = None,
    bulk_path: Annotated[
        str | None,
        Field(
            max_length=200,
            description="Of one instance, the bytes of this attribute as a file: 00420011, in sequences "
            "00081140/0/00081199 (items from 0)",
        ),
    ] = None,
    as_stored: Annotated[
        bool, Field(description="false: decompressed by the archive (Explicit VR Little Endian)")
    ] = True,
) -> Annotated[CallToolResult, RetrievalAnswer]:
    """Fetch DICOM files of an archive into a folder, and say of every file what became of it.

    A study, a series or instances, whole, as PatientID/StudyInstanceUID/SeriesInstanceUID/SOPInstanceUID.dcm; or frames
    or one value of one instance. Each file is checked (the instance asked for, whole) before it gets its name. Nothing
    is overwritten: what is there already counts as already_there, so calling this again fetches what is missing. Whole
    files of IDC come from its public buckets.
    """
    app = ctx.request_context.lifespan_context
    wanted = Wanted(study_uid, series_uid, instance_uids or (), frames or (), bulk_path, as_stored)
    retrieval = await retrieve(app, archive, wanted, directory, ctx.report_progress)
    return result(await to_thread.run_sync(retrieval_answer, app.configured(archive).name, retrieval))


def retrieval_answer(archive: str, retrieval: Retrieval) -> RetrievalAnswer:
    """The answer within its budget."""
    counts = Counter(item.outcome for item in retrieval.items if item.outcome)
    every_file = _every_file(retrieval)
    answer = RetrievalAnswer(
        archive=archive,
        notes=[*retrieval.notes, *_notes(retrieval, counts)],
        retrieved=counts[Outcome.RETRIEVED],
        already_there=counts[Outcome.ALREADY_THERE],
        different=counts[Outcome.DIFFERENT],
        failed=counts[Outcome.FAILED],
        bytes=retrieval.bytes or None,
        folder=clean(str(retrieval.folder), LONGEST_PATH),
        written=[path.name for path in retrieval.written[:WRITTEN_SHOWN]],
        files=[file_row(row["file"], row["outcome"], row["reason"]) for row in every_file if row["reason"]],
    )
    fit(answer, "retrieve", every_file, "Ask for less at a time to see them.")
    return answer


def _every_file(retrieval: Retrieval) -> list[dict[str, str]]:
    """A row for every file, last those that nobody asked for."""
    rows = [{"file": one.shown, "outcome": str(one.outcome), "reason": one.reason} for one in retrieval.items]
    return rows + [{"file": uid, "outcome": NOT_ASKED_FOR, "reason": why} for uid, why in retrieval.strays.items()]


def _notes(retrieval: Retrieval, counts: Counter[Outcome]) -> list[str]:
    notes = []
    if counts[Outcome.ALREADY_THERE]:
        notes.append(
            "already_there: whole files of these instances, which were not fetched anew; whether the archive's are the "
            "same in every value was not compared."
        )
    if counts[Outcome.FAILED]:
        notes.append(
            "Not everything was retrieved: the reasons say why. Called again, this fetches only what is missing."
        )
    if more := len(retrieval.written) - WRITTEN_SHOWN:
        notes += [f"{more:,} more files were written, named alike."] if more > 0 else []
    return notes
