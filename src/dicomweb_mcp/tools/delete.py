"""delete_instances: a study, a series or an instance out of an archive that permits it, by a plan and its token."""

from typing import Annotated

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import BaseModel, Field

from ..errors import BadArgument
from ..services.app import App
from ..services.delete import delete, plan_of
from ..services.deletion import Deletion, Plan
from ..settings import Settings
from .answers import LIST_BUDGET, DeletionAnswer, result, size
from .arguments import Archive, InstanceUid, SeriesUid, StudyUid
from .dialogue import PATIENCE, Dialogue, Refusal, can_ask

DELETE = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True)


NOT_DELETED = {
    Refusal.DECLINED: "The user did not agree in the client's dialogue. Nothing was deleted.",
    Refusal.UNANSWERED: f"The client's dialogue was not answered within {PATIENCE / 60:.0f} minutes. Nothing was "
    "deleted: ask the user, and make a new plan.",
    Refusal.NOT_SHOWN: "The client failed to ask the user in its dialogue. Nothing was deleted.",
}


class Deleting(BaseModel):
    """What the client's dialogue asks for."""

    delete: bool = Field(description="Delete this from the archive?")


def deleting_question(plan: Plan) -> str:
    """What somebody has to agree to, here and on a terminal."""
    count = len(plan.instances)
    told = [f"{count:,} instance{'' if count == 1 else 's'}"]
    told += [", ".join(values) for values in (plan.patient.values(), plan.described.values()) if values]
    return f"{plan.deletion} Delete {plan.place} ({'; '.join(told)}) from the archive {plan.archive}?"


async def delete_instances(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    instance_uid: InstanceUid = None,
    token: Annotated[
        str | None, Field(max_length=100, description="The token of the plan that the user agreed to")
    ] = None,
) -> Annotated[CallToolResult, DeletionAnswer] | InputRequiredResult:
    """Delete one study, series or instance from an archive. The lowest UID given is what is meant.

    Without token nothing is deleted: the answer is the plan, saying whose study it is, how many instances would go and
    how large they are, and a token. Show the plan to the user; call again with the same UIDs and the token only when
    the user agreed. The token is good for ten minutes, and only while the archive holds the same there.

    Afterwards a search looks for what is left: deleted counts what it does not find any more, remaining what it does.
    Tell the user of every instance that remains. Servers delete for good; files of a folder are moved into a trash.
    """
    app = ctx.request_context.lifespan_context
    dialogue = Dialogue(ctx, Deleting)
    if token and can_ask(ctx) and not dialogue.refusal:  # a courtesy, because the token is what counts
        plan = await plan_of(app, archive, study_uid, series_uid, instance_uid, token)
        if plan and not await dialogue.agrees_to(deleting_question(plan), plan.token(0)) and dialogue.unasked:
            return dialogue.unasked
    if dialogue.refusal:
        raise BadArgument(NOT_DELETED[dialogue.refusal])
    deletion = await delete(app, archive, study_uid, series_uid, instance_uid, token, report=ctx.report_progress)
    return result(deletion_answer(deletion))


def deleting(settings: Settings) -> str:
    """The sentence of the tool's description that says where it works."""
    return f"Permitted for: {', '.join(settings.deletable)}."


def deletion_answer(deletion: Deletion) -> DeletionAnswer:
    """The answer within its budget: of what remains, the last ones give way, and are counted."""
    plan, done = deletion.plan, deletion.done
    answer = DeletionAnswer(
        archive=plan.archive,
        notes=list(deletion.notes),
        level=plan.place.level,
        StudyInstanceUID=plan.place.study_uid,
        SeriesInstanceUID=plan.place.series_uid,
        SOPInstanceUID=plan.place.instance_uid,
        patient=plan.patient,
        described=plan.described,
        series_count=plan.series_count,
        instances=len(plan.instances),
        bytes=plan.size,
        token=None if done else deletion.token,
    )
    if done is None:
        return answer
    left = done.found
    answer.deleted = 0 if left is None else len(plan.instances) - len(left)
    answer.remaining = len(left or ())
    answer.unknown = len(plan.instances) if left is None else 0
    rows = [{"SeriesInstanceUID": series, "SOPInstanceUID": uid} for uid, series in (left or {}).items()]
    shown, notes = len(rows), answer.notes
    answer.still_there = rows
    while shown and size(answer) > LIST_BUDGET:
        shown = shown * 4 // 5
        answer.still_there = rows[:shown]
        answer.notes = [*notes, f"Not listed for space: {len(rows) - shown:,} of those that remain."]
    return answer
