"""Against pydicom's values of a real electrocardiogram, and made waveforms."""

import json

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file

from dicom.objects.making import code, made
from dicom.objects.mangling import is_harmless, mangled_object
from dicomweb_mcp.dicom.objects.waveform import describe


@pytest.fixture(scope="module")
def ecg():
    return pydicom.dcmread(get_testdata_file("waveform_ecg.dcm"))


@pytest.fixture(scope="module")
def small(ecg):
    """A few of its annotations, a few of its channels, no samples."""
    found = ecg.to_json_dict()
    found["0040B020"]["Value"] = found["0040B020"]["Value"][::8]
    for group in found["54000100"]["Value"]:
        group["003A0200"]["Value"] = group["003A0200"]["Value"][:2]
        del group["54001010"]
    return found


def test_a_real_electrocardiogram(ecg) -> None:
    found = describe(ecg.to_json_dict())
    rhythm, beat = found.facts["multiplex_groups"]
    assert (rhythm["MultiplexGroupLabel"], rhythm["NumberOfWaveformSamples"], rhythm["duration_s"]) == (
        "RHYTHM",
        10000,
        10,
    )
    assert (beat["WaveformOriginality"], beat["SamplingFrequency"], beat["duration_s"]) == ("DERIVED", "1000 Hz", 1.2)
    assert (rhythm["sensitivity"], rhythm["filter"]) == ("1.25 microvolt per step", "0.05..300 Hz")
    leads = [
        (group, channel, f"{source.CodeMeaning} ({source.CodeValue}, SCPECG)")
        for group, item in enumerate(ecg.WaveformSequence, 1)
        for channel, definition in enumerate(item.ChannelDefinitionSequence, 1)
        for source in definition.ChannelSourceSequence
    ]
    assert [(row["group"], row["channel"], row["source"]) for row in found.items] == leads
    assert found.facts["annotations"] == len(ecg.WaveformAnnotationSequence)
    assert found.text[:3] == ["RITMO SINUSALE", "ECG NORMALE", "RR Interval: 982 ms"]
    assert "QRS Axis: 52 deg" in found.text
    onsets = [
        (item.ReferencedSamplePositions - 1) / 1000
        for item in ecg.WaveformAnnotationSequence
        if "ReferencedSamplePositions" in item and item.ConceptNameCodeSequence[0].CodeMeaning == "P Onset"
    ]
    assert f"P Onset: {', '.join(f'{onset:g} s' for onset in onsets)}" in found.text
    assert len(json.dumps([found.facts, found.items, found.text])) < 4_000


def annotated(*annotations, frequency="500"):
    group = made(
        SamplingFrequency=frequency,
        NumberOfWaveformSamples=1000,
        NumberOfWaveformChannels=1,
        ChannelDefinitionSequence=[made(ChannelLabel="A")],
    )
    return describe(made(WaveformSequence=[group], WaveformAnnotationSequence=list(annotations)).to_json_dict())


@pytest.mark.parametrize(
    ("annotation", "line"),
    [
        ({"UnformattedTextValue": "two\r\nlines\x1b[31m"}, "two"),
        ({"ConceptNameCodeSequence": code("1", "Beat"), "ReferencedSamplePositions": [1, 501], "ReferencedWaveformChannels": [1, 1]}, "Beat: 0, 1 s"),
        ({"ConceptNameCodeSequence": code("1", "Beat"), "ReferencedTimeOffsets": ["0.25"]}, "Beat: 0.25 s"),
        ({"ConceptNameCodeSequence": code("1", "Rate"), "NumericValue": "61.5", "ReferencedTimeOffsets": ["2"]}, "Rate: 61.5 (2 s)"),
        ({"ConceptNameCodeSequence": code("1", "Rhythm"), "ConceptCodeSequence": code("2", "Sinus")}, "Rhythm: Sinus"),
        ({"UnformattedTextValue": "here", "ReferencedSamplePositions": 7, "ReferencedWaveformChannels": [4, 1]}, "here: sample 7"),
        ({"ReferencedDateTime": "20240102030405"}, "unnamed: 2024-01-02T03:04:05"),
    ],
)  # fmt: skip
def test_annotations(annotation, line) -> None:
    assert annotated(made(**annotation)).text[0] == line


def test_control_characters_are_removed_and_lines_kept() -> None:
    assert annotated(made(UnformattedTextValue="two\r\nlines\x1b[31m")).text == ["two", "lines[31m"]


def test_a_single_channel_keeps_what_it_says() -> None:
    channel = made(
        ChannelSourceSequence=code("2:1", "Pressure", "MDC"), ChannelSensitivity="0.5", ChannelSensitivityUnitsSequence=code("mm[Hg]", "mmHg", "UCUM"),
        ChannelSensitivityCorrectionFactor="1.1", ChannelBaseline="3", FilterHighFrequency="40", NotchFilterFrequency="50",
    )  # fmt: skip
    found = describe(
        made(WaveformSequence=[made(NumberOfWaveformChannels=2, ChannelDefinitionSequence=[channel])]).to_json_dict()
    )
    assert found.items == [
        {
            "group": 1, "channel": 1, "source": "Pressure (2:1, MDC)", "sensitivity": "0.5 mmHg per step",
            "ChannelSensitivityCorrectionFactor": 1.1, "ChannelBaseline": "3 mmHg", "filter": "?..40 Hz", "NotchFilterFrequency": "50 Hz",
        }
    ]  # fmt: skip
    assert found.notes == ["Multiplex groups with other channels than they say: 1."]


def test_more_channels_than_rows_are_counted() -> None:
    group = made(ChannelDefinitionSequence=[made(ChannelLabel=f"C{number}") for number in range(320)])
    found = describe(made(WaveformSequence=[group]).to_json_dict())
    assert (len(found.items), found.elided) == (300, ["20 more channels."])


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.sampled_from([0.02, 0.1, 0.3]))
def test_mangled_json_never_raises(small, seed, share) -> None:
    assert is_harmless(describe(mangled_object(small, seed, share)))
