"""What a row of data cannot say about a kind of server: how its query strings are written and its errors read."""

import json
import re
from collections.abc import Iterable
from urllib.parse import quote

from ..dicom.values import clean

SAFE = "^*?-:.!~'()"
LONGEST_REASON = 300
LONGEST_SAID = 2_000  # characters of an error that are looked at
ADDRESS = re.compile(
    r"(?:\b[a-z][a-z0-9+.-]{0,20}:)?//[^\s\"'<>]+|[\w.+-]+@[\w.-]+", re.IGNORECASE
)  # of pages and persons
SERVICE = re.compile(r"[a-z0-9.-]+\.googleapis\.com")


def query_string(pairs: Iterable[tuple[str, tuple[str, ...]]]) -> str:
    """``key=value&...`` as PS3.18 8.3.4 wants it: values of a list joined by ``,``, everything else in them encoded.

    ``*``, ``?`` and ``^`` stay as they are, because Debian's Orthanc does not decode percent-encoding; a space is
    ``%20``, never ``+``.
    """
    return "&".join(f"{key}={','.join(quote(value, safe=SAFE) for value in values)}" for key, values in pairs)


def reason(body: bytes, content_type: str) -> str:
    """What an error's body says, in one harmless line without addresses: the message of Google's, Orthanc's or
    dcm4chee's JSON, or a short plain text; empty for HTML and stack traces."""
    text = body[:20_000].decode("utf-8", "replace").strip()
    if not text:
        return ""
    try:
        return _harmless(_message(json.loads(text)))
    except (ValueError, RecursionError):
        pass
    if "html" in content_type.lower() or text.startswith("<") or _is_stack_trace(text):
        return ""
    return _harmless(text.splitlines()[0])


def google_reason(body: bytes) -> tuple[str, str]:
    """The reason that an error of Google's gives for programs (``google.rpc.ErrorInfo``) and the service that it
    speaks of; empty where there is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else None
    error = parsed.get("error") if isinstance(parsed, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict) and str(detail.get("@type")).endswith("google.rpc.ErrorInfo"):
            metadata = detail.get("metadata")
            service = str(metadata.get("service")) if isinstance(metadata, dict) else ""
            return str(detail.get("reason")), service if SERVICE.fullmatch(service) else ""
    return "", ""


def _harmless(text: str) -> str:
    return clean(ADDRESS.sub("(address)", text[:LONGEST_SAID]), LONGEST_REASON)


def _message(parsed: object) -> str:
    """Google: ``{"error": {"message"}}``, also in a list of one; Orthanc: ``Message``, ``Details``; dcm4chee:
    ``errorMessage``."""
    if isinstance(parsed, list):
        parsed = parsed[0] if parsed else None
    if not isinstance(parsed, dict):
        return ""
    inner = parsed.get("error")
    if isinstance(inner, dict):
        return _first_line(inner.get("message"))
    said = [parsed.get("errorMessage") or parsed.get("Message") or inner, parsed.get("Details")]
    return ": ".join(line for line in map(_first_line, said) if line)


def _first_line(text: object) -> str:
    if not isinstance(text, str) or not text.strip():
        return ""
    line = text.strip().splitlines()[0]
    return "" if _is_stack_trace(line) else line


def _is_stack_trace(text: str) -> bool:
    return bool(
        re.search(r"^\s+at [\w.$]+\(|^Traceback \(most recent", text, re.MULTILINE)
        or re.match(r"(?:[a-z]\w*\.){2,}\w*(?:Exception|Error)\b", text)
    )
