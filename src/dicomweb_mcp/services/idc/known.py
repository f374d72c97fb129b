"""What the offline index knows of a UID, for archives of IDC: its parents without a request, and why nothing is there.

The index may be older than the archive, so only what it knows to be there, or to be of another level, is settled by it
alone; the archive is asked for everything else, and the index explains what it does not have. A failure of the index is
no failure of a call: then the archive is asked as any other.
"""

import re
from dataclasses import dataclass
from functools import partial

from ...archives.base import Archive
from ...dicom.rules import Level
from ...idc.index import IndexProblem
from ...idc.places import Current, Known, Retired, find, named
from ...idc.wheel import is_installed, release
from ...settings import READ_ONLY_KINDS, Kind
from ..app import App
from .asking import ask

AT_THE_PROXY = "an archive of kind idc"
LONGEST_NAME = 64  # of a patient or collection
NAMES = {
    "collection_id": "{argument}={found.value} is a collection of IDC, no UID: look for its studies and series in the "
    "index, and give a UID of theirs.",
    "PatientID": "{argument}={found.value} is a PatientID of IDC, no UID: list the patient's studies with "
    'search_studies, filters={{"PatientID": "{found.value}"}}.',
    "crdc_series_uuid": "{argument}={found.value} is the UUID of a series in IDC's buckets, no UID: give "
    "series_uid={found.series_uid}.",
}
MOST_URLS = 3  # in a sentence


@dataclass(frozen=True)
class Finding:
    """What the index knows of a UID that is meant to be of a level; ``known`` is None for nothing."""

    archive: Archive
    level: Level
    uid: str
    known: Known | None

    @property
    def misplaced(self) -> str:
        """The sentence for a UID of another level, or empty."""
        return misplaced(self.uid, self.level, self.known)

    @property
    def study_uid(self) -> str:
        """The study of a series of the release, or empty."""
        return self.known.study_uid if isinstance(self.known, Current) and not self.misplaced else ""

    @property
    def is_served(self) -> bool:
        """Whether the archive should have it, so that it need not be asked."""
        return bool(self.study_uid) and not self._not_in_store

    def why_absent(self, proxy: str = AT_THE_PROXY) -> str:
        """A sentence for what the archive does not have. ``proxy`` names the archive that has all of IDC."""
        if self.known is None:
            return (
                f"{self.uid} is known neither to the archive nor to the index of IDC {release()}: copy UIDs whole from "
                "a search answer."
            )
        if isinstance(self.known, Retired):
            return retired(self.known)
        return self.misplaced or self._unexpectedly(self.known, proxy)

    def _unexpectedly(self, known: Current, proxy: str) -> str:
        where = f"{known.uid} is a {known.level} of IDC {known.history} (collection {', '.join(known.collections)})"
        if reason := self._not_in_store:
            return f"{where}, but {reason}: ask {proxy}, which has all of IDC."
        return (
            f"{where} by the index of IDC {release()}, but the archive has nothing there: it may be of another release "
            "or lag behind. Its files can be read from IDC's buckets."
        )

    @property
    def _not_in_store(self) -> str:
        """Why a store of Google's cannot have it; empty for one that can, and for the public proxy, which has all."""
        if not isinstance(self.known, Current) or self.archive.profile.kind != "idc-google":
            return ""
        if not self.known.in_google_store:
            return f"in the bucket {', '.join(self.known.buckets)}, which is not in Google's store"
        stored = re.search(r"/idc-store-v([0-9]+)(/|$)", self.archive.address)
        return f"this store is that of v{stored[1]}" if stored and int(stored[1]) < self.known.since else ""


def misplaced(uid: str, level: Level, known: Known | None) -> str:
    """The sentence for a UID of another level, or empty."""
    is_other = isinstance(known, Current) and known.level is not level
    return another_level(uid, known.level, level) if known and is_other else ""


def retired(known: Retired) -> str:
    """What became of a UID that left IDC, and what to do instead."""
    sentences = [
        f"{known.uid} is the UID of a {known.level} that is no longer in IDC: v{known.first} to v{known.last} had it "
        f"(collection {known.collection_id}), {release()} does not; it was withdrawn or superseded."
    ]
    if known.urls:
        more = f" and {len(known.urls) - MOST_URLS} others" if len(known.urls) > MOST_URLS else ""
        sentences.append(f"Its files stay readable in the bucket: {', '.join(known.urls[:MOST_URLS])}{more}.")
    if known.series_left:
        sentences.append(f"Its study {known.study_uid} still has {known.series_left} other series: list_series.")
    elif known.studies_left:
        sentences.append(
            f"Studies of the patient {known.patient_id} that are still there: {known.studies_left} (search_studies)."
        )
    return " ".join(sentences)


async def look_up(archive: Archive, level: Level, uid: str) -> Finding | None:
    """What the index knows of a study or series UID; None where it is not to be asked, or cannot be."""
    if not is_indexed(archive.profile.kind):
        return None
    try:
        found = await ask(partial(find, uids=[uid], first=level))
    except IndexProblem:  # the archive knows as well
        return None
    return Finding(archive, level, uid, found.get(uid))


async def what_it_names(archive: Archive, text: str, argument: str) -> str:
    """For what is no UID: the sentence that says what of IDC has this name, or empty."""
    if not is_indexed(archive.profile.kind) or len(text) > LONGEST_NAME:
        return ""
    try:
        found = await ask(lambda session: named(session, text))
    except IndexProblem:  # then it is no UID, and that is all
        return ""
    return NAMES[found.column].format(argument=argument, found=found) if found else ""


def is_indexed(kind: Kind) -> bool:
    """Whether the index describes archives of this kind, and is there."""
    return kind in READ_ONLY_KINDS and is_installed()


def proxy_of(app: App) -> str:
    """The archive that has all of IDC, by name if one is configured."""
    names = [item.name for item in app.settings.archives if item.resolved_kind == "idc"]
    return f"archive {names[0]}" if names else AT_THE_PROXY


def another_level(uid: str, actual: Level, expected: Level) -> str:
    """The sentence for a UID that was passed as one of another level."""
    return f"{uid} is the UID of {_a(actual)}, not of {_a(expected)}: pass it as {actual}_uid."


def _a(level: Level) -> str:
    return f"an {level}" if level is Level.INSTANCE else f"a {level}"
