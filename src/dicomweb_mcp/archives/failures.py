"""What a status code means, by kind of server: the error, in words, with what to do next (PS3.18 8.5)."""

from collections.abc import Mapping

from ..settings import GOOGLE_KINDS, Kind
from .base import AccessDenied, ArchiveError, Busy, Failed, NotFound, NotOffered, Refused, Unreachable
from .dialects import google_reason, reason

# status -> the error and what it says; {said} is the server's own reason, {how} the credentials that were used.
# A kind's own row counts, else the row of every kind.
Row = tuple[type[ArchiveError], str]
ANY: Mapping[int, Row] = {
    400: (Refused, "declined the request as invalid{said}. Check the arguments against list_archives."),
    401: (AccessDenied, "wants other credentials (401); {how}."),
    403: (AccessDenied, "does not allow this (403){said}; {how}."),
    404: (NotFound, "has nothing there (404){said}. Copy UIDs whole from a search answer."),
    405: (NotOffered, "does not offer this operation (405)."),
    406: (Refused, "cannot give this in a form that this program reads (406){said}."),
    408: (Unreachable, "gave up waiting (408). Try again, or ask for less."),
    409: (Refused, "reports a conflict (409){said}."),
    410: (NotFound, "says that this is no longer accessible (410){said}."),
    413: (Refused, "finds the request or its answer too large (413){said}. Narrow it with filters."),
    429: (Busy, "has had too many requests (429){said}. Wait a minute and ask for less."),
    500: (Failed, "failed while answering (500){said}. Try once more; if it stays, its administrator's log says why."),
    501: (NotOffered, "does not implement this (501){said}."),
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
        "has used up its daily quota of bytes, for this address or for everybody (429), until midnight UTC (00:00). "
        "Do not retry. Whole series come from IDC's public buckets, without a quota.",
    ),
    500: (Failed, "is busy or failed (500). Wait a minute and ask for less."),
}
_GOOGLE: Mapping[int, Row] = {
    403: (
        AccessDenied,
        "has no such object, or does not show it to this account (403){said}; {how}. Reading needs the permission "
        "healthcare.dicomStores.dicomWebRead, storing healthcare.dicomStores.dicomWebWrite, deleting "
        "healthcare.dicomStores.dicomWebDelete.",
    ),
    404: (NotFound, "has no such object, or does not show it to this account (404){said}. Copy UIDs from a search."),
    429: (Busy, "has used up a quota of its project (429){said}. Wait a minute and ask for less."),
}
# The reason that one of Google's errors gives for programs -> what it means; {service} is the API that it speaks of.
GOOGLE_REASONS: Mapping[str, str] = {
    "SERVICE_DISABLED": "the API {service} is not enabled in the project whose quota is used. Enable it there "
    "(gcloud services enable {service}) and wait some minutes, or name a project that has it with quota_project.",
    "USER_PROJECT_DENIED": "this account may not use the quota project. Grant it "
    "roles/serviceusage.serviceUsageConsumer there, or name another project with quota_project.",
    "CONSUMER_INVALID": "the quota project is suspended or does not exist. Correct it in quota_project, "
    "GOOGLE_CLOUD_QUOTA_PROJECT or the file of credentials.",
    "BILLING_DISABLED": "the project has no billing account. Enable billing for it, or name another project with "
    "quota_project.",
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "the sign-in does not extend to the Cloud Healthcare API. Sign in with the "
    "scope cloud-platform (gcloud auth application-default login asks for it), or give that scope to the machine.",
}
BY_KIND: Mapping[Kind, Mapping[int, Row]] = {"idc": _IDC, "google": _GOOGLE, "idc-google": _GOOGLE}
NO_DICOMWEB = (400, 404, 405)  # what a plain search of studies is answered with where no DICOMweb is


def failure(archive: str, kind: Kind, status: int, body: bytes, content_type: str, how: str) -> ArchiveError:
    """The error for an answer that is not a success. ``how`` says which credentials were used."""
    if kind in GOOGLE_KINDS and (explained := google_denial(archive, body)):
        return explained
    row = BY_KIND.get(kind, {}).get(status) or ANY.get(status)
    said = reason(body, content_type)
    behind = f": {said}" if said else ""
    if row is None:
        kind_of_error = Refused if status < 500 else Failed
        return kind_of_error(archive, f"answered with status {status}{behind}.", status, said)
    error, sentence = row
    return error(archive, sentence.format(said=behind, how=how), status, said)


def google_denial(archive: str, body: bytes) -> AccessDenied | None:
    """The error for one of Google's answers that says why in a way made for programs."""
    named, service = google_reason(body)
    if named not in GOOGLE_REASONS:
        return None
    return AccessDenied(archive, GOOGLE_REASONS[named].format(service=service or "healthcare.googleapis.com"))


def no_dicomweb(archive: str, base: str, problem: ArchiveError) -> ArchiveError:
    """The error for an address that does not even answer a plain search of studies: of the sort of ``problem``, because
    a search that is refused is no archive without searches."""
    said = f": {problem.said}" if problem.said else ""
    hint = "" if base.endswith("/dicom-web") else "; Orthanc's ends in /dicom-web"
    return type(problem)(
        archive,
        f"seems to have no DICOMweb at its address: a plain search of studies is answered with {problem.status}{said}. "
        f"Give the base address that ends before /studies{hint}.",
        problem.status,
    )
