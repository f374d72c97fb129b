"""The client's own dialogue, in which the user agrees to a large transfer; in both protocol eras.

Until 2025-11-25 the question is sent while the call waits. Since 2026-07-28 the call ends with the question, and the
client calls again with the answer: all is compared anew, and the answer counts for the same question about the same
files only.
"""

import hashlib
import json
import time
from collections.abc import Callable
from typing import Any

import anyio
from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import BaseModel, Field

from ..services.app import App
from ..services.items import undecided
from ..services.transfer import Transfer

ASKED_BY_ENDING = "2026-07-28"  # the first revision; they are dates
KEY = "send"
PATIENCE = 300.0  # seconds; the archive is kept from other transfers meanwhile

NOT_AGREED = (
    "Nothing was sent: the user did not agree in the client's dialogue. This is the plan: send it only when the user "
    "asks for it."
)
NOT_ANSWERED = (
    f"Nothing was sent: the client's dialogue was not answered within {PATIENCE / 60:.0f} minutes. This is the plan: "
    "show it to the user, and call this again with confirm=true when they agree."
)
NOT_SHOWN = (
    "Nothing was sent: the client failed to ask the user in its dialogue. This is the plan: show it to the user, and "
    "call this again with confirm=true when they agree."
)


class Agreement(BaseModel):
    """What the dialogue asks for."""

    send: bool = Field(description="Send these files?")


class Dialogue:
    """The dialogue of one call; ``asking`` words the question. When the call is over, ``unasked`` is what it has to end
    with for the client to ask, or ``refusal`` says why nothing is sent."""

    def __init__(self, ctx: Context[App], asking: Callable[[Transfer], str]) -> None:
        self._ctx, self._asking = ctx, asking
        self._agreed_to = ""
        self.unasked: InputRequiredResult | None = None
        self.refusal = ""
        reply = (ctx.input_responses or {}).get(KEY)
        if isinstance(reply, ElicitResult) and ctx.request_state:
            self._take(reply, ctx.request_state)

    def _take(self, reply: ElicitResult, state: str) -> None:
        """The answer to the question with which the call before ended."""
        asked_at, _, plan = state.partition(" ")
        if time.time() - float(asked_at) > PATIENCE:
            self.refusal = NOT_ANSWERED
        elif _is_yes(reply):
            self._agreed_to = plan
        else:
            self.refusal = NOT_AGREED

    async def agree(self, transfer: Transfer) -> bool:
        """Whether the user agrees; not where the client cannot ask."""
        if not can_ask(self._ctx):
            return False
        question = self._asking(transfer)
        if (self._ctx.protocol_version or "") < ASKED_BY_ENDING:
            self.refusal = await self._refusal(question)
            return not self.refusal
        plan = _digest(question, transfer)
        if plan == self._agreed_to:
            return True
        self.unasked = InputRequiredResult(
            input_requests={
                KEY: ElicitRequest(params=ElicitRequestFormParams(message=question, requested_schema=_schema()))
            },
            request_state=f"{time.time()} {plan}",
        )
        return False

    async def _refusal(self, question: str) -> str:
        """Asks while the call waits. Giving up takes the dialogue away."""
        try:
            with anyio.fail_after(PATIENCE):
                reply = await self._ctx.request_context.session.elicit_form(question, _schema(), self._ctx.request_id)
        except TimeoutError:
            return NOT_ANSWERED
        except (MCPError, ValueError):  # it says so itself, or its answer is none
            return NOT_SHOWN
        return "" if _is_yes(reply) else NOT_AGREED


def can_ask(ctx: Context[App]) -> bool:
    """Whether the client can show a dialogue with fields: what declares no kind of them has these."""
    declared = ctx.client_capabilities
    found = declared.elicitation if declared else None
    return found is not None and (found.form is not None or found.url is None)


def amount(transfer: Transfer, measured: str = "") -> str:
    """How much a transfer would send, in words; ``measured`` says how its size is meant."""
    going = undecided(transfer.items)
    studies = len({item.file.study_uid for item in going})
    size = f"{transfer.size / 1e6:,.1f} MB{measured}, " if transfer.size else ""
    return f"{len(going):,} files ({size}{studies:,} {'study' if studies == 1 else 'studies'})"


def _digest(question: str, transfer: Transfer) -> str:
    """What stands for a question and the files that it is about."""
    files = sorted((one.file.study_uid, one.file.instance_uid, one.file.size) for one in undecided(transfer.items))
    return hashlib.sha256(json.dumps([question, files]).encode()).hexdigest()


def _schema() -> dict[str, Any]:
    return render_elicitation_schema(Agreement)


def _is_yes(reply: ElicitResult) -> bool:
    return reply.action == "accept" and (reply.content or {}).get("send") is True
