"""What servers answer to a deletion, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from ..base import NotUnderstood
from ..wire import Answer

JSON = "application/json"


def json_of(archive: str, answer: Answer) -> Any:
    """The body of an answer; nothing of an empty one."""
    try:
        return json.loads(answer.body) if answer.body.strip() else {}
    except (ValueError, RecursionError):
        raise NotUnderstood(archive, "answered the deletion with something that is no JSON.") from None


def object_of(archive: str, answer: Answer) -> Mapping[str, Any]:
    """The JSON object of an answer."""
    found = json_of(archive, answer)
    if not isinstance(found, dict):
        raise NotUnderstood(archive, "answered the deletion with something that is no JSON object.")
    return found
