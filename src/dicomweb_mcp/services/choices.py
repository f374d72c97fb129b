"""What only some kinds of archive offer where files are stored: whether this one does, and what became of it."""

from collections.abc import Callable, Mapping, Sequence

from ..archives.base import Archive, ArchiveError, Choices, Place
from ..archives.profiles import PROFILES, Profile
from ..errors import BadArgument
from .app import App
from .items import Fit, Item, Outcome

# argument -> whether a kind of archive offers it
OFFERS: Mapping[str, Callable[[Profile], bool]] = {
    "storage_class": lambda profile: bool(profile.storage_classes),
    "send_json": lambda profile: profile.makes_files,
}
UNTOUCHED = "Nothing was opened or sent."


def check_offered(app: App, archive_name: str | None, choices: Choices, *, is_made: bool) -> None:
    """Raises BadArgument for a choice that the kind of archive does not offer; ``is_made``: the files are made here, of
    pictures and documents."""
    name, profile = app.configured(archive_name).name, app.profile(archive_name)
    for argument, offers in OFFERS.items():
        if getattr(choices, argument) and not offers(profile):
            kinds = ", ".join(kind for kind, other in PROFILES.items() if offers(other))
            raise BadArgument(
                f"{argument} is for archives of kind {kinds}, and {name} is of kind {profile.kind}: leave it out. "
                f"{UNTOUCHED}"
            )
    if choices.storage_class and choices.storage_class not in profile.storage_classes:
        possible = ", ".join(profile.storage_classes)
        raise BadArgument(f"storage_class of archive {name} is one of {possible}. {UNTOUCHED}")
    if choices.send_json and not is_made:
        raise BadArgument(f"send_json is for pictures and documents with metadata: leave it out. {UNTOUCHED}")


async def storage_class_notes(archive: Archive, items: Sequence[Item], wanted: str) -> list[str]:
    """What can be told of the storage class: no answer to what was stored says it, so one instance is looked at."""
    notes = []
    if any(item.outcome is Outcome.ALREADY_THERE for item in items):
        notes.append("What was there already keeps the storage class that it had.")
    stored = next((item.file for item in items if isinstance(item, Fit) and item.outcome is Outcome.STORED), None)
    if stored is None:
        return notes
    try:
        found = await archive.storage_class(Place(stored.study_uid, stored.series_uid, stored.instance_uid))
    except ArchiveError:
        found = ""
    if not found:
        notes.append(f"Storage class {wanted} was asked for; the archive does not tell whether it keeps the files so.")
    elif found == wanted:
        notes.append(f"Storage class {wanted} was asked for; one of the stored files was looked at, and is kept so.")
    else:
        notes.append(
            f"Storage class {wanted} was asked for, but the stored file that was looked at is kept as {found}: this "
            "archive may not take storage_class."
        )
    return notes
