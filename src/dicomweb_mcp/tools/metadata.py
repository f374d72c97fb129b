"""get_metadata: the attributes of a study, a series or an instance."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from ..dicom.summary.usual import RANK
from ..services.app import App
from ..services.metadata import Metadata, read_metadata
from .answers import METADATA_BUDGET, MetadataAnswer, result, size
from .arguments import Archive, InstanceUid, MaxCharacters, SeriesUid, StudyUid

NAMES_SHOWN = 1_200  # characters of the names that were left out
FEWER_NAMES = (300, 0)  # where nothing else can give way
MOST_NOTES, LONGEST_NOTE = 2, 150


async def get_metadata(
    ctx: Context[App],
    archive: Archive = None,
    study_uid: StudyUid = None,
    series_uid: SeriesUid = None,
    instance_uid: InstanceUid = None,
    fields: Annotated[
        list[str] | None,
        Field(
            description='DICOM keywords, tags, dotted paths into sequences, private tags ("GEMS_PARM_01 0043xx39"), or '
            '["all"]; the usual ones when left out'
        ),
    ] = None,
    private: Annotated[bool, Field(description="Also private attributes")] = False,
    max_characters: MaxCharacters = METADATA_BUDGET,
) -> Annotated[CallToolResult, MetadataAnswer]:
    """Say what a study, a series or an instance is, from its DICOM attributes. One UID is enough.

    Study: a table of its series with their roles and what derived ones refer to. Series: geometry (a verdict whether it
    is one regular volume, and why not), acquisition in words; what all instances share stands once under constant, what
    differs under varying, what some lack under missing. Very long series are sampled, and it is said.
    Pixel data and bulk values are never included; what is not shown is named under elided: ask for it by fields, for
    example fields=["PixelSpacing", "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing"].
    Dates and times are ISO 8601, well-known UIDs and codes by name; units gives the units of constant.
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
    """The answer within its budget: what matters least gives way first, and is named."""
    place, reading, table = found.place, found.reading, found.table
    summary = reading.summary
    answer = MetadataAnswer(
        archive=archive,
        notes=[*reading.notes, *(table.notes if table else ())],
        level=place.level.value,
        StudyInstanceUID=place.study_uid,
        SeriesInstanceUID=place.series_uid,
        SOPInstanceUID=place.instance_uid,
        instances=reading.total if table is None else table.instances,
        sampled=reading.sampled,
        geometry=found.geometry,
        acquisition=found.acquisition,
        series=table.rows if table else [],
        constant=_ranked(_without_uid(table.study) if table else summary.constant),
        units=summary.units,
        varying=_ranked(summary.varying),
        missing=_ranked(summary.missing),
        elided=[f"{name}: {what}" for name, what in summary.elided.items()],
    )
    return _fitted(answer, budget)


def _without_uid(study: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in study.items() if name != "StudyInstanceUID"}


def _ranked(entries: dict[str, Any]) -> dict[str, Any]:
    """The usual attributes first, the most important at the top."""
    return dict(sorted(entries.items(), key=lambda entry: RANK.get(entry[0], len(RANK))))


@dataclass(frozen=True)
class Part:
    """Something that an answer can do without: where it stands, and how it is named when it is left out."""

    group: str
    name: str
    container: Any
    key: Any
    length: int

    def remove(self) -> None:
        del self.container[self.key]


def _fitted(answer: MetadataAnswer, budget: int) -> MetadataAnswer:
    """Leave out what matters least until both halves fit, and name it."""
    elided, left_out = list(answer.elided), list[Part]()
    excess = size(answer) - budget
    for part in _parts(answer):
        if excess <= 0 and (excess := size(answer) - budget) <= 0:
            return answer
        part.remove()
        left_out.append(part)
        answer.elided = [*_said(left_out), *_shortened(elided)]
        excess -= part.length
    for longest in FEWER_NAMES:
        if size(answer) <= budget:
            break
        answer.elided = [*_said(left_out, longest), *_shortened(elided, longest)]
        answer.notes = [note[:LONGEST_NOTE] for note in answer.notes[:MOST_NOTES]]
    return answer


def _parts(answer: MetadataAnswer) -> list[Part]:
    """What gives way, in this order: unusual attributes, the longest first; series; usual attributes, the least
    important first; phrases; all of the geometry but its verdict."""
    attributes = [
        Part("attributes", name, section, name, _length(name, value))
        for section in (answer.constant, answer.varying, answer.missing)
        for name, value in section.items()
    ]
    unusual = sorted((part for part in attributes if part.name not in RANK), key=lambda part: -part.length)
    usual = sorted((part for part in attributes if part.name in RANK), key=lambda part: -RANK[part.name])
    series, phrases, geometry = answer.series, answer.acquisition, answer.geometry
    return [
        *unusual,
        *(Part("series", row.get("SeriesInstanceUID", ""), series, -1, _length("", row)) for row in series[::-1]),
        *usual,
        *(Part("phrases", phrase, phrases, -1, _length("", phrase)) for phrase in phrases[::-1]),
        *(Part("geometry", name, geometry, name, _length(name, geometry[name])) for name in list(geometry)[:0:-1]),
    ]


def _length(name: str, value: Any) -> int:
    """About the characters that an entry takes."""
    return len(name) + len(json.dumps(value, ensure_ascii=False))


HOW = {
    "attributes": "Name them in fields, or raise max_characters.",
    "series": "list_series has them all, or raise max_characters.",
    "phrases": "Raise max_characters.",
    "geometry": "Raise max_characters.",
}
WORDS = {"phrases": "phrases on the acquisition", "geometry": "figures of the geometry"}


def _said(left_out: list[Part], longest: int = NAMES_SHOWN) -> list[str]:
    """What was left out for space, by group, and how to get it."""
    groups: dict[str, list[str]] = {}
    for part in left_out:
        groups.setdefault(part.group, []).append(part.name)
    said = []
    for group, names in groups.items():
        shown = f": {_listed(names, longest)}" if longest and group != "phrases" else ""
        said.append(f"{len(names)} {WORDS.get(group, group)} left out for space{shown}. {HOW[group]}")
    return said


def _shortened(elided: list[str], longest: int = NAMES_SHOWN) -> list[str]:
    """The entries as they are while they are short, else their names in one."""
    if sum(map(len, elided)) <= longest:
        return elided
    names = [entry.partition(":")[0] for entry in elided]
    shown = f": {_listed(names, longest)}" if longest else ""
    return [f"{len(names)} sequences and bulk values not shown{shown}."]


def _listed(names: list[str], longest: int) -> str:
    text = ""
    for position, name in enumerate(names):
        if len(text) + len(name) > longest:
            return f"{text} and {len(names) - position} more"
        text += f", {name}" if text else name
    return text
