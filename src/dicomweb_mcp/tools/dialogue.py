"""The client's own dialogue, in which the user agrees to what cannot be taken back; in both protocol eras.

Until 2025-11-25 the question is sent while the call waits. Since 2026-07-28 the call ends with the question, and the
client calls again with the answer: all is looked at anew, and the answer counts for the same question about the same
things only.
"""

import hashlib
import json
import time
from enum import Enum, auto
from typing import Any

import anyio
from mcp.server.elicitation import render_elicitation_schema
from mcp.server.mcpserver import Context
from mcp.shared.exceptions import MCPError
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult, InputRequiredResult
from pydantic import BaseModel

from ..services.app import App
from ..services.items import undecided
from ..services.transfer import Transfer

ASKED_BY_ENDING = "2026-07-28"  # the first revision; they are dates
UNCONFIRMED = "without it the client asks the user, or the answer is the plan"  # without confirm=true
PATIENCE = 300.0  # seconds; other transfers into the archive may have to wait meanwhile


class Refusal(Enum):
    """Why nothing is done."""

    DECLINED = auto()
    UNANSWERED = auto()  # within PATIENCE
    NOT_SHOWN = auto()  # the client failed to ask


class Dialogue:
    """The dialogue of one call; ``form`` has one field, whether to do it. When the call is over, ``unasked`` is what it
    has to end with for the client to ask, or ``refusal`` says why nothing is done."""

    def __init__(self, ctx: Context[App], form: type[BaseModel]) -> None:
        self._ctx, self._form = ctx, form
        (self._field,) = form.model_fields
        self._agreed_to = ""
        self.unasked: InputRequiredResult | None = None
        self.refusal: Refusal | None = None
        reply = (ctx.input_responses or {}).get(self._field)
        if isinstance(reply, ElicitResult) and ctx.request_state:
            self._take(reply, ctx.request_state)

    def _take(self, reply: ElicitResult, state: str) -> None:
        """The answer to the question with which the call before ended."""
        asked_at, _, plan = state.partition(" ")
        if time.time() - float(asked_at) > PATIENCE:
            self.refusal = Refusal.UNANSWERED
        elif self._is_yes(reply):
            self._agreed_to = plan
        else:
            self.refusal = Refusal.DECLINED

    async def agrees_to(self, question: str, about: str) -> bool:
        """Whether the user agrees; not where the client cannot ask. ``about`` stands for what exactly is asked."""
        if not can_ask(self._ctx):
            return False
        if (self._ctx.protocol_version or "") < ASKED_BY_ENDING:
            self.refusal = await self._refusal(question)
            return self.refusal is None
        plan = hashlib.sha256(json.dumps([question, about]).encode()).hexdigest()
        if plan == self._agreed_to:
            return True
        asking = ElicitRequestFormParams(message=question, requested_schema=self._schema())
        self.unasked = InputRequiredResult(
            input_requests={self._field: ElicitRequest(params=asking)}, request_state=f"{time.time()} {plan}"
        )
        return False

    async def _refusal(self, question: str) -> Refusal | None:
        """Asks while the call waits. Giving up takes the dialogue away."""
        session = self._ctx.request_context.session
        try:
            with anyio.fail_after(PATIENCE):
                reply = await session.elicit_form(question, self._schema(), self._ctx.request_id)
        except TimeoutError:
            return Refusal.UNANSWERED
        except (MCPError, ValueError):  # it says so itself, or its answer is none
            return Refusal.NOT_SHOWN
        return None if self._is_yes(reply) else Refusal.DECLINED

    def _schema(self) -> dict[str, Any]:
        return render_elicitation_schema(self._form)

    def _is_yes(self, reply: ElicitResult) -> bool:
        return reply.action == "accept" and (reply.content or {}).get(self._field) is True


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


def contents(transfer: Transfer) -> str:
    """What stands for the files that a transfer would send."""
    files = sorted((one.file.study_uid, one.file.instance_uid, one.file.size) for one in undecided(transfer.items))
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()
