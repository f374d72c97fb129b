"""Where the files of series lie, and the commands that fetch them. Nothing is run here."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..dicom.uids import is_uid
from ..dicom.values import clean
from .selection import Place, Selection

AWS, GOOGLE = "https://s3.amazonaws.com", "https://storage.googleapis.com"
GOOGLE_BUCKETS: Mapping[str, str] = {  # AWS -> Google
    "idc-open-data": "idc-open-data",
    "idc-open-data-cr": "idc-open-cr",
    "idc-open-data-two": "idc-open-idc1",
}
MOST_SERIES = 3  # for which there is a command each
MOST_IDS = 20  # of one command
LARGE_MB = 100_000
DERIVED = frozenset(  # series of these modalities are no images, or are made from some
    {"ANN", "FID", "KO", "M3D", "PLAN", "PR", "REG", "RTDOSE", "RTPLAN", "RTRECORD", "RTSTRUCT", "RWV", "SEG", "SR"}
)
_S5CMD = "s5cmd --no-sign-request --endpoint-url"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_PLAIN_PATH = re.compile(r"[\w:/\\. ()+-]+")  # which means nothing else to any shell between double quotes


@dataclass(frozen=True)
class Bucket:
    """Where some of the files lie. ``google`` is empty where its name is not known."""

    aws: str
    google: str
    series: int
    size_mb: float


def buckets(amounts: Iterable[tuple[str, int, float]]) -> list[Bucket]:
    """Of (bucket at Amazon, series, MB), those with most series first."""
    found: dict[str, Bucket] = {}
    for name, series, size in amounts:
        before = found.get(name) or Bucket(clean(name), GOOGLE_BUCKETS.get(name, ""), 0, 0.0)
        found[name] = Bucket(before.aws, before.google, before.series + series, before.size_mb + size)
    return sorted(found.values(), key=lambda bucket: (-bucket.series, bucket.aws))


def by_selection(selection: Selection) -> list[str]:
    """``idc download`` for a collection, or for few UIDs."""
    is_safe = is_uid if selection.is_uids else _COLLECTION.fullmatch
    if len(selection.ids) > MOST_IDS or not all(map(is_safe, selection.ids)):
        return []
    return [f"idc download {','.join(selection.ids)}"]


def fit_for_commands(places: Iterable[Place]) -> list[Place]:
    """Those whose bucket and folder are what they should be, so that nothing else gets into a command."""
    return [(bucket, uuid) for bucket, uuid in places if _BUCKET.fullmatch(bucket) and _UUID.fullmatch(uuid)]


def by_series(places: Sequence[Place]) -> list[str]:
    """A command for each series from Amazon's bucket, and one from Google's where its name is known."""
    commands = []
    for bucket, uuid in places:
        commands.append(f'{_S5CMD} {AWS} cp "s3://{bucket}/{uuid}/*" .')
        if google := GOOGLE_BUCKETS.get(bucket):
            commands.append(f'{_S5CMD} {GOOGLE} cp "s3://{google}/{uuid}/*" .')
    return commands


def by_manifest(path: str) -> list[str]:
    """The two programs that take a manifest."""
    shown = f'"{path}"' if _PLAIN_PATH.fullmatch(path) and not path.endswith("\\") else "MANIFEST"
    return [f"idc download-from-manifest --manifest-file {shown}", f"{_S5CMD} {AWS} run {shown}"]


def manifest(places: Iterable[Place], about: Sequence[str]) -> Iterator[bytes]:
    """Lines as s5cmd takes them, behind comments; ``about`` are lines of harmless text."""
    yield "".join(f"# {line}\n" for line in about).encode()
    for bucket, uuid in places:
        yield f"cp s3://{bucket}/{uuid}/* .\n".encode("ascii")


def warnings(modalities: Mapping[str, int], results: int, size_mb: float) -> list[str]:
    """What may surprise who downloads: numbers of series by modality, and of those of analysis results."""
    notes = []
    derived = {name: count for name, count in modalities.items() if name in DERIVED}
    if derived and len(derived) == len(modalities):
        notes.append("They are derived series alone: the images that they were made from are not among them.")
    elif derived:
        named = ", ".join(f"{count:,} {name}" for name, count in sorted(derived.items(), key=lambda item: -item[1]))
        notes.append(
            f"Derived series are among them: {named}; {results:,} series belong to analysis results. idc download "
            "cannot choose by modality: for some of them give their series UIDs."
        )
    if size_mb > LARGE_MB:
        notes.append(f"{size_mb / 1000:,.0f} GB are much to download: check the space first, or choose fewer series.")
    return notes
