"""Waveforms (PS3.3 A.34, C.10.9, C.10.10): channels, rates and annotations, without the samples."""

from collections import defaultdict
from typing import Any

from ..codes import coded, meaning
from ..facts import few, filled, rounded, shared
from ..values import DicomJson, clean, clean_lines, integer, items, text
from .attributes import MOST_LISTED, MOST_ROWS, reals, rows, shown
from .description import Description

MOST_PLACES = 12  # of one sort of annotation
MOST_TIMES = 4  # of one annotation
LEAST_FREQUENCY = 1e-6  # Hz


def describe(obj: DicomJson) -> Description:
    """The multiplex groups, with a row for each channel, and the annotations as text."""
    groups = items(obj, "WaveformSequence")
    channels = [_channels(number, group) for number, group in enumerate(groups, 1)]
    common = [shared(table, keep=("group", "channel", "source")) for table in channels]
    table = [row for group in channels for row in group]
    annotations = _annotations(obj, groups)
    facts = shown(obj, "AcquisitionDateTime", "PatientPosition")
    facts |= filled(
        context=[words for item in rows(obj, "AcquisitionContextSequence", MOST_LISTED) if (words := _context(item))],
        multiplex_groups=[_group(group) | same for group, same in zip(groups[:MOST_LISTED], common, strict=False)],
        annotations=len(items(obj, "WaveformAnnotationSequence")) or None,
    )
    return Description(
        facts=facts,
        items=table[:MOST_ROWS],
        text=annotations[:MOST_ROWS],
        notes=_disagreements(groups),
        elided=[
            f"{more:,} more {what}."
            for what, more in (
                ("channels", len(table) - MOST_ROWS),
                ("multiplex groups", len(groups) - MOST_LISTED),
                ("kinds of annotations", len(annotations) - MOST_ROWS),
            )
            if more > 0
        ],
    )


def _group(group: DicomJson) -> dict[str, Any]:
    """What the channels of a group share; its duration is samples by frequency."""
    row = shown(
        group, "MultiplexGroupLabel", "WaveformOriginality", "NumberOfWaveformChannels", "NumberOfWaveformSamples",
        "SamplingFrequency", "MultiplexGroupTimeOffset",
    )  # fmt: skip
    if row.get("MultiplexGroupTimeOffset") == "0 ms":
        del row["MultiplexGroupTimeOffset"]
    samples, frequency = reals(group, "NumberOfWaveformSamples", 1), reals(group, "SamplingFrequency", 1)
    if samples and frequency and frequency[0] > LEAST_FREQUENCY:
        row["duration_s"] = rounded(samples[0] / frequency[0], 3)
    return row


def _channels(number: int, group: DicomJson) -> list[dict[str, Any]]:
    return [
        {"group": number, "channel": channel} | _channel(item)
        for channel, item in enumerate(items(group, "ChannelDefinitionSequence"), 1)
    ]


def _channel(item: DicomJson) -> dict[str, Any]:
    modifiers = clean(coded(item, "ChannelSourceModifiersSequence"))
    row = shown(item, "ChannelLabel", "ChannelStatus")
    row |= filled(source=clean(coded(item, "ChannelSourceSequence")), source_modifiers=modifiers)
    unit = meaning(item, "ChannelSensitivityUnitsSequence")
    for value in shown(item, "ChannelSensitivity").values():
        row["sensitivity"] = f"{value} {unit}".strip() + " per step"
    for value in shown(item, "ChannelSensitivityCorrectionFactor").values():
        row |= filled(ChannelSensitivityCorrectionFactor=value if value != 1 else None)
    for value in shown(item, "ChannelBaseline").values():
        row |= filled(ChannelBaseline=f"{value} {unit}".strip() if value != 0 else None)
    low, high = (shown(item, keyword) for keyword in ("FilterLowFrequency", "FilterHighFrequency"))
    if low or high:
        row["filter"] = f"{next(iter(low.values()), '?')}..{next(iter(high.values()), '?')} Hz"
    notch = shown(item, "NotchFilterFrequency")
    return row | (notch if notch.get("NotchFilterFrequency") != "0 Hz" else {})


def _context(item: DicomJson) -> str:
    """``Electrode Placement: Standard 12-lead positions``."""
    name = meaning(item, "ConceptNameCodeSequence")
    value = meaning(item, "ConceptCodeSequence") or _value(item) or text(item, "TextValue")
    return clean(": ".join(part for part in (name, value) if part))


def _annotations(obj: DicomJson, groups: list[DicomJson]) -> list[str]:
    """A line for each text and value; those that only mark places stand together by what they mark."""
    lines: list[str] = []
    marks: dict[str, list[str]] = defaultdict(list)
    for item in items(obj, "WaveformAnnotationSequence"):
        words, place = _words(item), _place(item, groups)
        if place and not _value(item):
            marks[words or "unnamed"].append(place)
        elif words:
            lines += clean_lines(f"{words} ({place})" if place else words)
    return lines + [f"{words}: {few(places, MOST_PLACES)}" for words, places in marks.items()]


def _words(item: DicomJson) -> str:
    """What an annotation says: its text, or the name of what is measured or marked, with the value."""
    name = meaning(item, "ConceptNameCodeSequence")
    said = text(item, "UnformattedTextValue") or _value(item) or meaning(item, "ConceptCodeSequence")
    return "\n".join(clean_lines(": ".join(part for part in (name, said) if part)))


def _value(item: DicomJson) -> str:
    value = "".join(str(value) for value in shown(item, "NumericValue").values())
    return f"{value} {_unit(item)}".strip() if value else ""


def _unit(item: DicomJson) -> str:
    """The symbol of a unit rather than its name: ms, deg."""
    found = items(item, "MeasurementUnitsCodeSequence")
    return clean(text(found[0], "CodeValue") or text(found[0], "CodeMeaning"), 40) if found else ""


def _place(item: DicomJson, groups: list[DicomJson]) -> str:
    """When an annotation is: in seconds from the first sample where that can be told, else by sample, date and time."""
    samples = reals(item, "ReferencedSamplePositions")
    times = reals(item, "ReferencedTimeOffsets")
    if not times and (frequency := _frequency(item, groups)):
        times = [(sample - 1) / frequency for sample in samples]
    if times:
        return f"{few([rounded(time, 3) for time in times], MOST_TIMES)} s"
    if samples:
        return f"sample {few([rounded(sample) for sample in samples], MOST_TIMES)}"
    return few([str(value) for value in shown(item, "ReferencedDateTime").values()])


def _frequency(item: DicomJson, groups: list[DicomJson]) -> float | None:
    """The sampling frequency of the multiplex group that an annotation refers to."""
    channels = reals(item, "ReferencedWaveformChannels")  # pairs of group and channel
    group = int(channels[0]) if channels else 0
    frequency = reals(groups[group - 1], "SamplingFrequency", 1) if 0 < group <= len(groups) else []
    return frequency[0] if frequency and frequency[0] > LEAST_FREQUENCY else None


def _disagreements(groups: list[DicomJson]) -> list[str]:
    wrong = [
        str(place)
        for place, group in enumerate(groups, 1)
        for channels in [len(items(group, "ChannelDefinitionSequence"))]
        if integer(group, "NumberOfWaveformChannels", channels) != channels
    ]
    return [f"Multiplex groups with other channels than they say: {few(wrong)}."] if wrong else []
