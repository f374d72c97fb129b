"""copy_instances: a study, a series or instances of one archive into another one that permits it."""

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult
from pydantic import Field

from ..services.app import App
from ..services.copying import Wanted, copy
from ..services.transfer import Transfer, large
from .answers import TransferAnswer
from .arguments import SeriesUid, StudyUid
from .dialogue import UNCONFIRMED, Dialogue, amount, contents
from .store import Sending, answered

MOST_UIDS = 1_000


async def copy_instances(
    ctx: Context[App],
    from_archive: Annotated[str, Field(description="Which archive has them")],
    to_archive: Annotated[str, Field(description="Which archive is to have them too")],
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    instance_uids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]] | None,
        Field(max_length=MOST_UIDS, description="SOPInstanceUIDs, in place of all of the series or study"),
    ] = None,
    dry_run: Annotated[bool, Field(description="Compare only, and say what would be copied")] = False,
    confirm: Annotated[bool, Field(description=f"true to copy {large('instances')}; {UNCONFIRMED}")] = False,
) -> Annotated[CallToolResult, TransferAnswer] | InputRequiredResult:
    """Copy a study, a series or instances from one archive into another, and say of every instance what became of it.

    What the other archive has already is compared and not fetched. Each file is checked when it arrives, and counts as
    stored when the archive says so and a search finds it. Instances that need a look are listed with the reason;
    calling this again with the same arguments copies what is missing. Nothing in either archive is changed or
    overwritten. Of IDC the files come from its public buckets.
    """
    app = ctx.request_context.lifespan_context
    source, target = app.configured(from_archive).name, app.configured(to_archive).name
    dialogue = Dialogue(ctx, Sending)
    transfer = await copy(
        app, source, target, Wanted(study_uid, series_uid, instance_uids or ()),
        dry_run=dry_run or bool(dialogue.refusal), confirm=confirm,
        agree=lambda transfer: dialogue.agrees_to(copying_question(transfer, source, target), contents(transfer)),
        report=ctx.report_progress,
    )  # fmt: skip
    return await answered(dialogue, target, transfer)


def copying_question(transfer: Transfer, source: str, target: str) -> str:
    """Whether to copy this."""
    return f"Copy {amount(transfer, ' before compression')} from the archive {source} into {target}?"
