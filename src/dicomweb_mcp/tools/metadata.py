"""get_metadata: the attributes of a study, a series or an instance."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..services.app import App
from ..services.metadata import Metadata, read_metadata
from .answers import METADATA_BUDGET, MetadataAnswer, result, size
from .arguments import Archive, InstanceUid, MaxCharacters, SeriesUid, StudyUid

NAMES_SHOWN = 1_200  # characters of the names that were left out


async def get_metadata(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    instance_uid: InstanceUid = None,
    fields: Annotated[
        list[str] | None,
        Field(description="DICOM keywords, tags or dotted paths into sequences; all own attributes when left out"),
    ] = None,
    private: Annotated[bool, Field(description="Also private attributes")] = False,
    max_characters: MaxCharacters = METADATA_BUDGET,
) -> Annotated[CallToolResult, MetadataAnswer]:
    """Read DICOM attributes of an instance, a series or a study, named by DICOM keyword.

    One UID is enough. What all instances share stands once under constant, what differs under varying, what only
    some have under missing. Pixel data and other bulk values are never included; long sequences are counted and named
    under elided: ask for them, or for what was left out for space, by fields, for example
    fields=["PixelSpacing", "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing"].
    Values are as stored in the file; dates and times are written as ISO 8601, well-known UIDs by name.
    """
    app = ctx.request_context.lifespan_context
    found = await read_metadata(
        app,
        archive,
        study_uid=study_uid,
        series_uid=series_uid,
        instance_uid=instance_uid,
        fields=fields,
        private=private,
    )
    return result(metadata_answer(app.configured(archive).name, found, max_characters))


def metadata_answer(archive: str, found: Metadata, budget: int) -> MetadataAnswer:
    """The answer within its budget: what takes most space gives way first, and is named."""
    place, summary = found.place, found.summary
    answer = MetadataAnswer(
        archive=archive,
        level=place.level.value,
        StudyInstanceUID=place.study_uid,
        SeriesInstanceUID=place.series_uid,
        SOPInstanceUID=place.instance_uid,
        instances=summary.instances,
        sampled=False,
        constant=summary.constant,
        varying=summary.varying,
        missing=summary.missing,
        elided=[f"{name}: {what}" for name, what in summary.elided.items()],
    )
    return _fitted(answer, budget)


def _fitted(answer: MetadataAnswer, budget: int) -> MetadataAnswer:
    """Leave out the longest entries until both halves fit."""
    if size(answer) <= budget:
        return answer
    elided = list(answer.elided)
    sections: tuple[dict[str, Any], ...] = (answer.constant, answer.varying, answer.missing)
    entries = [(len(name) + len(str(value)), name, section) for section in sections for name, value in section.items()]
    left_out: list[str] = []
    for _, name, section in sorted(entries, key=lambda entry: entry[:2], reverse=True):
        del section[name]
        left_out.append(name)
        answer.elided = [_left_out(left_out), *_shortened(elided)]
        if size(answer) <= budget:
            return answer
    answer.elided = [_left_out(left_out, NAMES_SHOWN // 4), *_shortened(elided, 200)]
    return answer


def _left_out(names: list[str], longest: int = NAMES_SHOWN) -> str:
    shown = _listed(names, longest)
    return f"{len(names)} attributes left out for space: {shown}. Name them in fields, or raise max_characters."


def _shortened(elided: list[str], longest: int = NAMES_SHOWN) -> list[str]:
    """The entries as they are while they are short, else their names in one."""
    if sum(map(len, elided)) <= longest:
        return elided
    names = [entry.partition(":")[0] for entry in elided]
    return [f"{len(names)} sequences and bulk values not shown: {_listed(names, longest)}."]


def _listed(names: list[str], longest: int) -> str:
    text = ""
    for position, name in enumerate(names):
        if len(text) + len(name) > longest:
            return f"{text} and {len(names) - position} more"
        text += f", {name}" if text else name
    return text
