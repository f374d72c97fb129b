"""Pictures and PDF documents with metadata, made into DICOM files that are stored like any other."""

import os
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

import anyio
from anyio import to_thread

from ..archives.base import Archive, NotFound, NotUnderstood, Place
from ..dicom.making.content import Document, NotMade, Pixels
from ..dicom.making.instance import contradictions, make_instance, sop_class_of, study_modules
from ..dicom.making.metadata import checked_metadata
from ..dicom.making.modules import IODS, OF_ONE_INSTANCE
from ..dicom.making.pdf import HEADER, pdf_document
from ..dicom.query import Query, make_plan
from ..dicom.rules import Level
from ..dicom.uids import is_uid
from ..dicom.values import DicomJson, text
from ..errors import BadArgument
from ..paths import make_private, open_regular
from ..settings import user_cache_folder
from .app import App
from .instance import instance_metadata
from .presence import NO_SEARCH
from .roots import Named

if TYPE_CHECKING:
    from pydicom import Dataset

MOST_FILES = 500
MOST_BYTES = 512 << 20  # of a file
LEFT_BEHIND = 86_400.0  # seconds after which a folder belongs to nobody any more
PREFIX = "making-"


@dataclass
class Made:
    """The files to store in place of those that were named, and notes."""

    files: list[Named] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@asynccontextmanager
async def made(
    app: App, archive_name: str | None, named: Sequence[Named], metadata: Mapping[str, Any], study_uid: str | None
) -> AsyncIterator[Made]:
    """A DICOM file for each picture or PDF that is named, in a folder that is gone afterwards. A file of which none
    can be made carries the reason.

    With ``study_uid``, or a StudyInstanceUID that the archive has, patient and study are those of that study. Raises
    BadArgument for metadata that cannot be right, ArchiveError when the study cannot be read.
    """
    given = await to_thread.run_sync(_checked, metadata, named, study_uid)
    of_study = await _of_study(app.archive(archive_name), study_uid, given)
    folder = await to_thread.run_sync(_new_folder)
    try:
        maker = _Maker(folder, given, study_uid, of_study)
        for number, one in enumerate(named, start=1):
            await to_thread.run_sync(maker.take, one, number)
        yield Made(maker.files, maker.notes(len(named)))
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(shutil.rmtree, folder, True)


def _checked(metadata: Mapping[str, Any], named: Sequence[Named], study_uid: str | None) -> "Dataset":
    if len(named) > MOST_FILES:
        raise BadArgument(f"metadata are for at most {MOST_FILES} pictures or documents at once, not {len(named):,}.")
    given = checked_metadata(metadata)
    if study_uid is None and not given.get("PatientID"):
        raise BadArgument(
            "metadata needs PatientID, or study_uid names the study of the archive that the picture joins."
        )
    for keyword in OF_ONE_INSTANCE if len(named) > 1 else ():
        if keyword in given:
            raise BadArgument(f"{keyword} is of one instance, and paths name {len(named)} files: leave it out.")
    return given


async def _of_study(archive: Archive, study_uid: str | None, given: "Dataset") -> "Dataset | None":
    """Patient and General Study as the archive has them; None for a new study. Raises BadArgument where the metadata
    say otherwise, NotFound for a ``study_uid`` that is not there."""
    wanted = study_uid or str(given.get("StudyInstanceUID") or "")
    if not wanted:
        return None
    try:
        obj = await _some_instance(archive, wanted)
    except NO_SEARCH:
        if study_uid:
            raise
        return None
    if names := contradictions(given, obj):
        raise BadArgument(
            f"The study in archive {archive.name} has another {', '.join(names)}, or none: leave "
            "that out of metadata, it is taken from the study."
        )
    try:
        return study_modules(obj)
    except ValueError:
        raise NotUnderstood(
            archive.name, "describes the patient or the study with values that cannot be copied."
        ) from None


async def _some_instance(archive: Archive, study_uid: str) -> DicomJson:
    """The metadata of an instance of a study. Raises NotFound when it has none, or another ArchiveError."""
    plan = make_plan(Query(Level.INSTANCE, study_uid=study_uid), (await archive.settle()).rules)
    for row in (await archive.search(plan, limit=1, offset=0)).rows:
        series, instance = text(row, "SeriesInstanceUID"), text(row, "SOPInstanceUID")
        if is_uid(series) and is_uid(instance):
            return await instance_metadata(archive, Place(study_uid, series, instance))
    raise NotFound(
        archive.name,
        f"has no study {study_uid} to join. For a new study leave study_uid out, and give PatientID in metadata.",
    )


class _Maker:
    """Makes one file after the other, in a thread."""

    def __init__(self, folder: Path, given: "Dataset", study_uid: str | None, of_study: "Dataset | None") -> None:
        self.files: list[Named] = []
        self._folder, self._given, self._study_uid, self._of_study = folder, given, study_uid, of_study
        self._taken: dict[bytes, str] = {}
        self._classes: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()

    def take(self, named: Named, number: int) -> None:
        """Make the file of one that is named, the ``number``th, or tell why not."""
        if named.problem:
            self.files.append(named)
            return
        try:
            self.files.append(Named(self._made(named, number), named.shown))
        except NotMade as reason:
            self.files.append(Named(named.path, named.shown, str(reason)))

    def notes(self, files: int) -> list[str]:
        """What was made, and what was done to some of the files."""
        kinds = ", ".join(f"{count:,} {IODS[sop_class].name}" for sop_class, count in self._classes.items())
        made = [f"Made into DICOM here: {kinds}."] if kinds else []
        return made + [f"{count:,} of {files:,} files: {note}." for note, count in self._notes.items()]

    def _made(self, named: Named, number: int) -> Path:
        source = _read(named.path)
        digest = sha256(source).digest()
        if digest in self._taken:
            raise NotMade(f"a copy of {self._taken[digest]}, which stands for it")
        content = _content(source)
        sop_class = sop_class_of(content, self._given)
        if "SeriesInstanceUID" in self._given and self._classes and sop_class not in self._classes:
            raise NotMade("pictures and documents cannot share the series that SeriesInstanceUID names")
        dataset = make_instance(
            content, self._given, source=source, number=number, study_uid=self._study_uid, of_study=self._of_study
        )
        path = self._folder / f"{number}.dcm"
        try:
            dataset.save_as(path, enforce_file_format=True)
        except OSError as error:
            raise NotMade(f"it could not be written to the cache folder: {error.strerror}") from None
        self._taken[digest] = named.shown
        self._classes[sop_class] += 1
        self._notes.update(content.notes)
        return path


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MOST_BYTES:
                raise NotMade(f"it has over {MOST_BYTES >> 20} MiB")
            return file.read(MOST_BYTES)
    except OSError as error:
        raise NotMade(f"cannot be read: {error.strerror or type(error).__name__}") from None


def _content(source: bytes) -> Pixels | Document:
    """What a file holds, by its first bytes. Raises NotMade."""
    from ..pixels.image_file import kind_of, pixels_of

    if kind_of(source):
        return pixels_of(source)
    if source.startswith(HEADER):
        return pdf_document(source)
    if source[128:132] == b"DICM":
        raise NotMade("it is DICOM already: store it without metadata")
    raise NotMade("it is no JPEG, PNG, TIFF or PDF, which are what metadata can be given for")


def _new_folder() -> Path:
    """A folder for this user alone, resolved. What a killed run left behind is removed, because it names patients."""
    cache = user_cache_folder()
    try:
        make_private(cache)
        for old in cache.glob(f"{PREFIX}*"):
            with suppress(OSError):  # another run removes it
                if time.time() - old.stat(follow_symlinks=False).st_mtime > LEFT_BEHIND:
                    shutil.rmtree(old, ignore_errors=True)
        return Path(os.path.realpath(mkdtemp(prefix=PREFIX, dir=cache)))
    except OSError as error:
        raise BadArgument(
            f"The cache folder, in which DICOM files are made, cannot be written to: {error.strerror}. Name another "
            "place with DICOMWEB_MCP_CACHE."
        ) from None
