"""store_instances: files from below the file roots into an archive that permits it."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any

from anyio import to_thread
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import BaseModel, Field

from ..archives.base import Choices
from ..services.app import App
from ..services.items import Fit, Item, Outcome
from ..services.report import rows_of
from ..services.transfer import Transfer, large, store
from ..settings import Settings
from .answers import TransferAnswer, result
from .arguments import Archive
from .dialogue import PATIENCE, UNCONFIRMED, Dialogue, Refusal, amount, contents
from .file_rows import file_row, fit

ADD = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True)
MOST_PATHS = 1_000
LONGEST_PATH = 4_096
STUDIES_SHOWN = 20
NOT_SENT = {
    Refusal.DECLINED: "Nothing was sent: the user did not agree in the client's dialogue. This is the plan: send it "
    "only when the user asks for it.",
    Refusal.UNANSWERED: f"Nothing was sent: the client's dialogue was not answered within {PATIENCE / 60:.0f} minutes. "
    "This is the plan: show it to the user, and call this again with confirm=true when they agree.",
    Refusal.NOT_SHOWN: "Nothing was sent: the client failed to ask the user in its dialogue. This is the plan: show it "
    "to the user, and call this again with confirm=true when they agree.",
}
PathText = Annotated[str, Field(min_length=1, max_length=LONGEST_PATH)]


class Sending(BaseModel):
    """What the client's dialogue asks for."""

    send: bool = Field(description="Send these files?")


async def store_instances(
    ctx: Context[App],
    paths: Annotated[
        list[PathText],
        Field(
            min_length=1,
            max_length=MOST_PATHS,
            description="Files, folders (with all below them) or patterns with *, ?, [...] and **, below a file root; "
            "relative ones are looked for there",
        ),
    ],
    archive: Archive = None,
    metadata: Annotated[
        dict[str, Any] | None,
        Field(
            description="For JPEG, PNG, TIFF and PDF: DICOM keyword -> value for the instances made of them; "
            "Modality XC makes photographs"
        ),
    ] = None,
    study_uid: Annotated[
        str | None,
        Field(
            description="The only study that the files may belong to; with metadata the one they join and take "
            "patient and study from"
        ),
    ] = None,
    storage_class: Annotated[
        str | None,
        Field(description="Google Cloud Healthcare only: keep them as STANDARD, NEARLINE, COLDLINE or ARCHIVE"),
    ] = None,
    send_json: Annotated[
        bool,
        Field(description="Google Cloud Healthcare only: send metadata as JSON and the picture beside them"),
    ] = False,
    dry_run: Annotated[bool, Field(description="Check and compare only, and say what would be done")] = False,
    confirm: Annotated[bool, Field(description=f"true to send {large('files')}; {UNCONFIRMED}")] = False,
) -> Annotated[CallToolResult, TransferAnswer] | InputRequiredResult:
    """Store DICOM files in an archive, and say of every file what became of it.

    Each file is checked first (a whole DICOM file, valid UIDs, no conflict with the study that is there), and what the
    archive already has is compared and not sent. A file counts as stored when the archive says so and a search finds
    it. Files that need a look are listed with the reason; calling this again with the same paths sends what is missing.
    With metadata the files are pictures or PDF documents, made into instances of one series; the same file and metadata
    make the same instance.
    Nothing in the archive is changed or overwritten. Use dry_run=true first when there are many files; large ones want
    confirm=true.
    """
    app = ctx.request_context.lifespan_context
    name = app.configured(archive).name
    dialogue = Dialogue(ctx, Sending)
    transfer = await store(
        app, archive, paths, metadata=metadata, study_uid=study_uid,
        choices=Choices((storage_class or "").upper(), send_json), dry_run=dry_run or bool(dialogue.refusal),
        confirm=confirm, report=ctx.report_progress,
        agree=lambda transfer: dialogue.agrees_to(storing_question(transfer, name), contents(transfer)),
    )  # fmt: skip
    return await answered(dialogue, name, transfer)


def storing_question(transfer: Transfer, archive: str) -> str:
    """Whether to store this."""
    return f"Store {amount(transfer)} in the archive {archive}?"


async def answered(dialogue: Dialogue, archive: str, transfer: Transfer) -> CallToolResult | InputRequiredResult:
    """What a call ends with: its answer, or what the client has to ask first."""
    if dialogue.unasked:
        return dialogue.unasked
    refusal = NOT_SENT[dialogue.refusal] if dialogue.refusal else ""
    return result(await to_thread.run_sync(transfer_answer, archive, transfer, refusal))


def permission(settings: Settings) -> str:
    """The sentence of the tool's description that says which archives permit storing, or how to permit one."""
    if settings.storable:
        return f"Permitted for: {', '.join(settings.storable)}."
    if settings.http:
        return "Over HTTP nothing is permitted but reading, so every call is refused."
    if any(archive.permit for archive in settings.archives):
        return "No file root is configured, so every call is refused: start the server with --file-root FOLDER."
    possible = [archive.name for archive in settings.archives if not archive.is_read_only]
    if not possible:
        return "No configured archive can be stored into, so every call is refused."
    return (
        "No archive permits it, so every call is refused: start the server with "
        f"--permit {possible[0]}:store --file-root FOLDER."
    )


def transfer_answer(archive: str, transfer: Transfer, refusal: str = "") -> TransferAnswer:
    """The answer within its budget. ``refusal`` says why nothing was sent, where more is known."""
    counts = Counter(item.outcome for item in transfer.items if item.outcome)
    going = [item for item in transfer.items if isinstance(item, Fit) and item.outcome in (None, Outcome.STORED)]
    outcomes: dict[str, Any] = {outcome.value: counts[outcome] for outcome in Outcome}
    answer = TransferAnswer(
        archive=archive,
        notes=[*transfer.notes, *_notes(transfer, going, refusal)],
        dry_run=transfer.dry_run or None,
        to_store=len(going) if transfer.dry_run else None,
        bytes=sum(item.file.size for item in going) or None,
        studies=_studies(going),
        identifying=_identifying(going),
        files=[file_row(item.shown, str(item.outcome), item.reason) for item in transfer.items if _needs_a_look(item)],
        **outcomes,
    )
    fit(answer, "store", list(rows_of(transfer.items)), "Call again with fewer paths to see them.")
    return answer


def _needs_a_look(item: Item) -> bool:
    """Everything but what went well: a stored file with a warning needs one too."""
    well = item.outcome in (None, Outcome.STORED, Outcome.ALREADY_THERE)
    return not well or bool(item.reason)


def _studies(items: Sequence[Fit]) -> dict[str, int]:
    return dict(Counter(item.file.study_uid for item in items).most_common(STUDIES_SHOWN))


def _identifying(items: Sequence[Fit]) -> dict[str, int]:
    """Attribute -> files that have it, most first; no value is ever shown."""
    return dict(Counter(name for item in items for name in item.file.identifying).most_common())


def _notes(transfer: Transfer, going: Sequence[Fit], refusal: str) -> list[str]:
    notes = []
    if (studies := len({item.file.study_uid for item in going})) > STUDIES_SHOWN:
        notes.append(f"They belong to {studies:,} studies; the {STUDIES_SHOWN} with most files are named.")
    if refusal:
        notes.append(refusal)
    elif transfer.wants_confirmation:
        notes.append(
            f"Nothing was sent: {large('files')} are only sent with confirm=true. This is the plan: show it to the "
            "user, and call this again with confirm=true when they agree."
        )
    elif transfer.dry_run:
        notes.append("A dry run: nothing was sent.")
    if transfer.dry_run and transfer.size and not any(item.file.size for item in going):
        notes.append(f"About {transfer.size / 1e6:,.1f} MB are to be fetched, as the pixels are without compression.")
    otherwise = sum(isinstance(item, Fit) and item.file.is_named_otherwise for item in transfer.items)
    if otherwise:
        notes.append(
            f"{otherwise:,} files name another object in their File Meta Information than in their data set, "
            "which counts."
        )
    outcomes = {item.outcome for item in transfer.items}
    if Outcome.ALREADY_THERE in outcomes:
        notes.append("already_there: the same UIDs, and attributes where compared; never pixel data and long values.")
    if outcomes & {Outcome.UNKNOWN, Outcome.NOT_SENT}:
        notes.append("Not everything is known to be stored: call this again with the same arguments to finish it.")
    return notes
