"""What a status code means, by kind of server: the error, in words, with what to do next (PS3.18 8.5)."""

from collections.abc import Mapping

from ..settings import Kind
from .base import AccessDenied, ArchiveError, Busy, Failed, NotFound, Refused, Unreachable
from .dialects import reason

# status -> the error and what it says; {said} is the server's own reason, {how} the credentials that were used.
# A kind's own row counts, else the row of every kind.
Row = tuple[type[ArchiveError], str]
ANY: Mapping[int, Row] = {
    400: (Refused, "declined the request as invalid{said}. Check the arguments against list_archives."),
    401: (AccessDenied, "wants other credentials (401); {how}."),
    403: (AccessDenied, "does not allow this (403){said}; {how}."),
    404: (NotFound, "has nothing there (404){said}. Copy UIDs whole from a search answer."),
    405: (Refused, "does not offer this operation (405)."),
    406: (Refused, "cannot give this in a form that this program reads (406){said}."),
    408: (Unreachable, "gave up waiting (408). Try again, or ask for less."),
    409: (Refused, "reports a conflict (409){said}."),
    410: (NotFound, "says that this is no longer accessible (410){said}."),
    413: (Refused, "finds the request or its answer too large (413){said}. Narrow it with filters."),
    429: (Busy, "has had too many requests (429){said}. Wait a minute and ask for less."),
    500: (Failed, "failed while answering (500){said}. Try once more; if it stays, its administrator's log says why."),
    501: (Refused, "does not implement this (501){said}."),
    502: (Unreachable, "is behind a gateway that got no answer (502). Try again in a minute."),
    503: (Busy, "is overloaded or starting (503){said}. Try again in a minute."),
    504: (Unreachable, "did not answer its gateway in time (504). Ask for less, or try again in a minute."),
}
_IDC: Mapping[int, Row] = {
    403: (AccessDenied, "refuses this address (403). IDC's whole files lie in its public buckets, without a quota."),
    404: (
        NotFound,
        "has nothing there (404). Copy UIDs whole from a search answer; older UIDs may have been replaced.",
    ),
    429: (
        Busy,
        "has given this address, or everybody, its bytes for today (429); it opens again at midnight UTC. Do not "
        "retry. IDC's whole files lie in its public buckets, without a quota.",
    ),
    500: (Failed, "is busy or failed (500). Wait a minute and ask for less."),
}
_GOOGLE: Mapping[int, Row] = {
    403: (
        AccessDenied,
        "has no such object, or does not show it to this account (403){said}; {how}. Reading needs the permission "
        "healthcare.dicomStores.dicomWebRead.",
    ),
    404: (NotFound, "has no such object, or does not show it to this account (404){said}. Copy UIDs from a search."),
    429: (Busy, "has used up a quota of its project (429){said}. Wait a minute and ask for less."),
}
BY_KIND: Mapping[Kind, Mapping[int, Row]] = {"idc": _IDC, "google": _GOOGLE, "idc-google": _GOOGLE}


def failure(archive: str, kind: Kind, status: int, body: bytes, content_type: str, how: str) -> ArchiveError:
    """The error for an answer that is not a success. ``how`` says which credentials were used."""
    row = BY_KIND.get(kind, {}).get(status) or ANY.get(status)
    said = reason(body, content_type)
    said = f": {said}" if said else ""
    if row is None:
        kind_of_error = Refused if status < 500 else Failed
        return kind_of_error(archive, f"answered with status {status}{said}.")
    error, sentence = row
    return error(archive, sentence.format(said=said, how=how))
