"""What an archive says of stored instances: the Store Instances Response (PS3.18 10.5.3 and I.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from .values import DicomJson, clean, integer, items, text, text_at

LONGEST_DETAIL = 200
GOOGLES_DETAIL = ("00091097", "00090097")  # Google's private FailureDetail
# Failure and warning reasons of PS3.18 I.2.2 by their code; a key with a mask stands for a range of codes.
REASONS: tuple[tuple[int, int, str], ...] = (
    (0x0110, 0xFFFF, "processing failure"),
    (0x0122, 0xFFFF, "SOP class not supported"),
    (0xC122, 0xFFFF, "transfer syntax not supported"),
    (0xB000, 0xFFFF, "the archive changed some values"),
    (0xB006, 0xFFFF, "the archive left out some elements"),
    (0xB007, 0xFFFF, "the data set does not match its SOP class"),
    (0xA700, 0xFF00, "out of resources"),
    (0xA900, 0xFF00, "the data set does not match its SOP class"),
    (0xC000, 0xF000, "cannot be understood"),
)


@dataclass(frozen=True)
class Verdict:
    """What a response says of one instance: whether it is stored, and why not or with which warning."""

    stored: bool
    reason: str = ""


@dataclass(frozen=True)
class StoreResponse:
    """``verdicts`` by SOP Instance UID; ``others`` are failures that are not told of any instance."""

    verdicts: Mapping[str, Verdict]
    others: tuple[str, ...] = ()


def store_response(obj: DicomJson, own_reasons: Mapping[int, str] | None = None) -> StoreResponse:
    """The verdicts of a response. An instance named as failed counts as failed, whatever else is said of it.

    ``own_reasons`` are the codes that this kind of archive uses in its own sense.
    """
    own = own_reasons or {}
    verdicts: dict[str, Verdict] = {}
    for keyword, stored in (("ReferencedSOPSequence", True), ("FailedSOPSequence", False)):
        code = "WarningReason" if stored else "FailureReason"
        for item in items(obj, keyword):
            if uid := text(item, "ReferencedSOPInstanceUID"):
                verdicts[uid] = Verdict(stored, _reason(item, code, own, required=not stored))
    others = [_reason(item, "FailureReason", own, required=True) for item in items(obj, "OtherFailuresSequence")]
    return StoreResponse(verdicts, tuple(dict.fromkeys(others)))


def _reason(item: DicomJson, keyword: str, own: Mapping[int, str], *, required: bool) -> str:
    code = integer(item, keyword)
    words = "no reason given" if required else ""
    if code is not None:
        words = f"{reason_in_words(code, own)} ({code:04X}h)"
    detail = next((said for tag in GOOGLES_DETAIL if (said := clean(text_at(item, tag), LONGEST_DETAIL))), "")
    return f"{words}: {detail}" if detail else words


def reason_in_words(code: int, own: Mapping[int, str] | None = None) -> str:
    """A failure or warning reason in words."""
    if own and code in own:
        return own[code]
    return next((words for value, mask, words in REASONS if code & mask == value), "a reason of its own")
