import base64
import json
import struct
import tracemalloc
from collections.abc import Iterable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import datadict

from dicomweb_mcp.dicom.encoded import encoded_objects
from dicomweb_mcp.dicom.summary import Summary, parse_fields
from dicomweb_mcp.dicom.tags import UnknownAttribute, attribute
from dicomweb_mcp.dicom.units import UNITS
from dicomweb_mcp.dicom.values import normalized
from dicomweb_mcp.errors import BadArgument


def obj(**values: Any) -> dict[str, Any]:
    found = {}
    for keyword, value in values.items():
        known = attribute(keyword)
        found[known.tag] = {"vr": known.vr, "Value": value if isinstance(value, list) else [value]}
    return found


def summed(*objects: dict[str, Any], fields: list[str] | None = None, private: bool = False) -> Summary:
    summary = Summary()
    for one in objects:
        summary.add(one, parse_fields(fields) if fields else None, private=private)
    return summary


def test_what_is_shared_stands_once_and_what_varies_as_a_range() -> None:
    found = summed(*(obj(Modality="CT", InstanceNumber=number, KVP=120) for number in range(1, 29)))
    assert found.constant == {"Modality": "CT", "KVP": 120}
    assert found.varying == {"InstanceNumber": "1..28, step 1 (28 values)"}
    assert found.missing == {}
    assert found.instances == 28


def test_few_values_are_counted_many_are_not_listed() -> None:
    found = summed(*(obj(ImageType=["A", "B"] if number < 3 else ["A", "C"]) for number in range(5)))
    assert found.varying == {"ImageType": '["A", "B"] (3), ["A", "C"] (2)'}
    found = summed(*(obj(StudyDescription=f"d{number:03}") for number in range(40)))
    assert found.varying == {"StudyDescription": "40 values, among them d000 and d001"}


def test_what_only_some_have_is_said_with_its_value() -> None:
    found = summed(obj(Modality="CT", KVP=120), obj(Modality="CT"))
    assert found.constant == {"Modality": "CT"}
    assert found.missing == {"KVP": "1 of 2 lack it; else 120 kV"}
    assert "KVP" not in found.varying


def test_fields_that_nobody_has_are_said() -> None:
    found = summed(obj(Modality="CT"), fields=["KVP", "Modality"])
    assert found.constant == {"Modality": "CT"}
    assert found.missing == {"KVP": "no value"}


def test_bulk_is_named_and_never_shown() -> None:
    pixels = {"7FE00010": {"vr": "OW", "BulkDataURI": "x"}, "00420011": {"vr": "OB", "InlineBinary": "AAECAw=="}}
    found = summed({**obj(Modality="CT"), **pixels})
    assert found.elided == {
        "EncapsulatedDocument": "bulk value (OB) of 4 bytes, not shown",
        "PixelData": "bulk value (OW), not shown",
    }
    assert "AAEC" not in json.dumps(found.constant)


def test_short_sequences_are_shown_and_codes_by_meaning() -> None:
    code = obj(CodeValue="T-62000", CodingSchemeDesignator="SRT", CodeMeaning="Liver")
    segment = {**obj(SegmentNumber=1, SegmentLabel="Liver"), "0062000F": {"vr": "SQ", "Value": [code]}}
    found = summed({"00620002": {"vr": "SQ", "Value": [segment]}})
    assert found.constant["SegmentSequence"] == {
        "SegmentNumber": 1,
        "SegmentLabel": "Liver",
        "SegmentedPropertyTypeCodeSequence": "Liver (T-62000, SRT)",
    }
    nested = {
        "00620002": {
            "vr": "SQ",
            "Value": [{"0062000F": {"vr": "SQ", "Value": [obj(CodeValue="x" * 60)] * n}} for n in (1, 90)],
        }
    }
    found = summed(nested, fields=["SegmentSequence.SegmentedPropertyTypeCodeSequence"])
    assert found.constant == {
        "SegmentSequence.SegmentedPropertyTypeCodeSequence": [
            {"CodeValue": "x" * 60},
            'sequence of 90 items; fields=["SegmentSequence.SegmentedPropertyTypeCodeSequence.CodeValue"]',
        ]
    }
    assert found.missing == found.elided == {}
    many = summed({"00620002": {"vr": "SQ", "Value": [segment] * 300}})
    assert many.elided == {"SegmentSequence": "sequence of 300 items"}


def test_paths_into_sequences_read_every_item() -> None:
    items = [obj(SegmentLabel=f"organ {number}") for number in range(3)]
    one = {"00620002": {"vr": "SQ", "Value": items}}
    found = summed(one, fields=["SegmentSequence.SegmentLabel", "segment sequence.00620004"])
    assert found.constant == {"SegmentSequence.SegmentLabel": ["organ 0", "organ 1", "organ 2"]}
    partly = {"00620002": {"vr": "SQ", "Value": [obj(SegmentLabel="a", SegmentNumber=1), obj(SegmentLabel="b")]}}
    found = summed(partly, fields=["SegmentSequence.SegmentLabel", "SegmentSequence.SegmentNumber"])
    assert found.constant["SegmentSequence.SegmentNumber"] == [1, None], "values of two paths stand side by side"
    found = summed(one, fields=["SegmentSequence.SegmentLabel", "segment sequence.00620004"])
    assert found.missing == {"SegmentSequence.SegmentNumber": "no value"}


def test_private_attributes_are_counted_or_shown() -> None:
    private = {"00091001": {"vr": "LO", "Value": ["secret"]}, "00090010": {"vr": "LO", "Value": ["ACME"]}}
    assert summed({**obj(Modality="CT"), **private}).elided == {
        "private attributes": "left out; private=true shows them"
    }
    assert summed({**obj(Modality="CT"), **private}, private=True).constant == {
        "Modality": "CT",
        "00091001 ACME": "secret",
    }


def test_spoiled_values_are_reported_as_such() -> None:
    found = summed({"00180050": {"vr": "DS", "Value": [float("nan")]}, "00200013": {"vr": "IS", "Value": [12.5]}})
    assert found.constant == {"SliceThickness": "nan (not a number)", "InstanceNumber": "12.5 (not an integer)"}


@pytest.mark.parametrize("strange", [{"00080060": None}, {"00080060": "CT"}, {"00080060": {}}, {"xyz": {"vr": "CS"}},
                                     {"00080060": {"vr": "CS", "Value": "CT"}}, {"00080060": {"vr": "SQ", "Value": [None, 3]}}])  # fmt: skip
def test_strange_json_is_survived(strange: dict[str, Any]) -> None:
    assert summed(normalized(strange)).instances == 1


def test_fields_that_make_no_sense() -> None:
    with pytest.raises(UnknownAttribute, match="Did you mean Modality"):
        parse_fields(["Modalty"])
    with pytest.raises(BadArgument, match=r"Rows in .* is no sequence"):
        parse_fields(["Rows.Columns"])
    with pytest.raises(BadArgument, match="empty name"):
        parse_fields([" "])
    with pytest.raises(BadArgument, match="at most 100"):
        parse_fields(["Rows"] * 101)


# ---- what varies -----------------------------------------------------------------------------------------------------


def varied(keyword: str, values: Iterable[Any]) -> str:
    return summed(*(obj(**{keyword: value}) for value in values)).varying[keyword]


@pytest.mark.parametrize(
    ("keyword", "values", "words"),
    [
        ("SliceLocation", [118.5 - 2.5 * number for number in range(96)], "-119..118.5 mm, step 2.5 mm (96 values)"),
        ("SliceLocation", [0, 2.5, 5, 10], "0..10 mm (4 values)"),
        ("SliceLocation", [0.1 * number for number in range(40)], "0..3.9000000000000004 mm, step 0.1 mm (40 values)"),
        ("KVP", [120, 140, 120], "120 kV (2), 140 kV (1)"),
        ("InstanceNumber", [*range(1, 20), float("nan")], "1..19, step 1 (19 values); nan (not a number) (1)"),
        ("InstanceNumber", [*range(1, 20), 12.5], "1..19, step 1 (19 values); 12.5 (not an integer) (1)"),
        ("EchoTime", [1e308, 0, -1e308], "-1e+308..1e+308 ms (3 values)"),
        ("ImagePositionPatient", [[-1.5, -2, number * 2.5] for number in range(9)], "[-1.5, -2, 0..20 step 2.5] mm (9 values)"),
        ("ImagePositionPatient", [[number % 2, number**2, 0] for number in range(9)], "[0..1, 0..64, 0] mm (9 values)"),
        ("PixelSpacing", [[0.5, 0.5], [0.5, 0.5], [1, 1]], "[0.5, 0.5] (2), [1, 1] (1)"),
        ("ImageOrientationPatient", [[1, 0], [1, 0, 0]] * 5, "[1, 0] (5), [1, 0, 0] (5)"),
        ("StudyDate", ["20200102", "20200101", "20200102"], "2020-01-01 (1), 2020-01-02 (2)"),
            ("DiffusionBValue", [500, 1000, 0, 500], "0 s/mm² (1), 500 s/mm² (2), 1000 s/mm² (1)"),
            ("ImagePositionPatient", [[0, 0, 10], [0, 0, 5]] * 2, "[0, 0, 5] (2), [0, 0, 10] (2)"),
        ("StudyDate", [f"202001{day:02}" for day in range(20, 0, -1)], "2020-01-01..2020-01-20 (20 values)"),
        ("ContentTime", [f"1000{second:02}.5" for second in range(50)], "10:00:00.5..10:00:49.5 (50 values)"),
        ("FrameOfReferenceUID", [f"1.2.{number}" for number in range(4)], "4 values"),
        ("FrameOfReferenceUID", ["1.2", "1.3", "1.3"], "1.2 (1), 1.3 (2)"),
        ("PatientName", [{"Alphabetic": "Doe^A"}, {"Alphabetic": "Doe^B"}], "Doe^A (1), Doe^B (1)"),
    ],
)  # fmt: skip
def test_what_varies_in_words(keyword: str, values: list[Any], words: str) -> None:
    assert varied(keyword, values) == words


@given(st.lists(st.decimals(-500, 500, places=2), min_size=3, max_size=40, unique=True))
def test_a_step_is_said_where_there_is_one(values: list[Decimal]) -> None:
    words = varied("SliceLocation", list(map(float, values)))
    ordered = sorted(values)
    steps = {b - a for a, b in pairwise(ordered)}
    assert words.startswith(f"{plain_number(ordered[0])}..{plain_number(ordered[-1])} mm")
    if len(steps) == 1:
        assert f", step {plain_number(steps.pop())} mm ({len(values)} values)" in words
    elif max(steps) > min(steps) * Decimal("1.01"):
        assert "step" not in words


def plain_number(value: Decimal) -> str:
    return str(int(value)) if value == int(value) else str(float(value))


def test_units_of_constants_and_of_pixels() -> None:
    found = summed(obj(KVP=120, Modality="CT", WindowCenter=[40, 80], PixelSpacing=[0.5, 0.5], RescaleType="HU"))
    assert found.constant["KVP"] == 120
    assert found.units == {"KVP": "kV", "WindowCenter": "HU", "PixelSpacing": "mm"}
    assert summed(obj(RescaleIntercept=-1024)).units == {}
    assert summed(obj(RescaleIntercept=0, Units="BQML")).units == {"RescaleIntercept": "Bq/ml"}
    assert summed(obj(KVP="abc")).units == {}


def test_the_unit_of_every_keyword_is_one_of_numbers() -> None:
    for keyword in UNITS:
        assert datadict.dictionary_VR(datadict.tag_for_keyword(keyword) or 0) in (
            "DS",
            "FD",
            "FL",
            "IS",
            "SL",
            "US",
            "UL",
        )


def test_numbers_have_the_precision_of_the_file() -> None:
    found = summed({"00189073": {"vr": "FD", "Value": [0.10000000149011612]}, "00189087": {"vr": "FL", "Value": [0.10000000149011612]},
                    "00180050": {"vr": "DS", "Value": ["1.50"]}})  # fmt: skip
    assert found.constant == {
        "AcquisitionDuration": 0.10000000149011612,
        keyword_of("00189087"): 0.1,
        "SliceThickness": 1.5,
    }


def keyword_of(tag: str) -> str:
    return datadict.keyword_for_tag(tag)


# ---- text that stays text --------------------------------------------------------------------------------------------

ANY = st.recursive(
    st.one_of(st.none(), st.integers(-9, 9), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=3,
)
ELEMENTS = st.fixed_dictionaries(
    {"vr": st.sampled_from(["CS", "DS", "SQ", "LO"])}, optional={"Value": st.lists(ANY, max_size=3)}
)
TAGS = st.sampled_from(["00080060", "00180050", "00200032", "00081030", "00081140", "00091001"])
INSTANCES = st.lists(
    st.dictionaries(TAGS, st.one_of(ANY, ELEMENTS, ELEMENTS, st.lists(ELEMENTS, max_size=1))), min_size=1, max_size=6
)


@given(INSTANCES, st.sampled_from([None, ["all"], ["Modality", "SliceThickness", "00091001"]]))
def test_text_and_decoded_objects_give_the_same(instances: list[Any], fields: list[str] | None) -> None:
    one = summed(*map(normalized, instances), fields=fields, private=True)
    other = summed(*encoded_objects(json.dumps(instances).encode()), fields=fields, private=True)
    for part in ("constant", "varying", "missing", "elided", "units"):
        assert getattr(one, part) == getattr(other, part)


def test_text_that_is_written_differently_is_the_same_value() -> None:
    body = b'[{"00180050":{"vr":"DS","Value":[1.5]}},{"00180050": {"Value" : ["1.50 "], "vr":"DS"}}]'
    assert summed(*encoded_objects(body)).constant == {"SliceThickness": 1.5}


def test_long_values_are_told_apart_and_one_is_shown() -> None:
    long = [obj(ImageComments=f"{number % 3} " + "x" * 3_000) for number in range(9)]
    words = summed(*encoded_objects(json.dumps(long).encode())).varying["ImageComments"]
    assert words.startswith("3 different values, such as 0 xxx")
    assert len(words) < 300
    assert len(str(summed(long[0], long[0]).constant["ImageComments"])) > 1_000
    sequences = [
        {"00081140": {"vr": "SQ", "Value": [obj(ReferencedSOPInstanceUID=f"1.2.{number}")] * 90}}
        for number in (1, 1, 2)
    ]
    assert summed(*sequences).elided == {
        "ReferencedImageSequence": "sequence of 90 items (in 3 of 3 instances, and they differ)"
    }
    short = {"00081140": {"vr": "SQ", "Value": [obj(ReferencedSOPInstanceUID="1.2")]}}
    found = summed(sequences[0], short)
    assert found.elided == {"ReferencedImageSequence": "sequence of 90 items (in 1 of 2 instances)"}
    assert found.missing == {}


def test_memory_is_bounded_and_what_is_beyond_is_said() -> None:
    summary = Summary()
    tracemalloc.start()
    try:
        for number in range(5_000):
            summary.add(
                {
                    **obj(InstanceNumber=number, SOPInstanceUID="1.2", StudyDescription=f"{number} " + "y" * 500),
                    **obj(ImagePositionPatient=[0, -number, number], ContentDate=f"{1000 + number % 9000:04}0101"),
                    f"{number * 0x20000 + 0x00080021 & 0xFFFEFFFF:08X}": {"vr": "LO", "Value": ["z" * 900]},
                },
                None,
                private=True,
            )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000
    assert summary.varying["InstanceNumber"].startswith("0..4999 (at least ")
    assert summary.varying["ImagePositionPatient"].startswith("[0, -4999..0, 0..4999] mm (at least ")
    assert "at least" in summary.varying["StudyDescription"]
    assert "InstanceNumber" not in summary.missing
    assert "not looked at" in summary.elided["further attributes"]


# ---- fields ----------------------------------------------------------------------------------------------------------


def private(block: str, creator: str, **elements: Any) -> dict[str, Any]:
    found = {f"0043{element[1:]}".replace("xx", block): value for element, value in elements.items()}
    return {f"004300{block}": {"vr": "LO", "Value": [creator]}, **found}


SLOP = {"vr": "IS", "Value": [1000, 2, 3, 4]}


@pytest.mark.parametrize("field", ["GEMS_PARM_01 0043xx39", "gems_parm_01 (0043,xx39)", "00431039 GEMS_PARM_01",
                                   "00431039 GEMS_PARM_01 [Slop_int_6... slop_int_9]"])  # fmt: skip
def test_private_attributes_are_found_in_the_block_of_their_creator(field: str) -> None:
    for block in ("10", "11", "A0"):
        one = {**private(block, "GEMS_PARM_01 ", _xx39=SLOP), "00430012": {"vr": "LO", "Value": ["OTHER"]}}
        found = summed(one, *encoded_objects(json.dumps([one]).encode()), fields=[field])
        assert found.constant == {f"0043{block}39 GEMS_PARM_01 [Slop_int_6... slop_int_9]": [1000, 2, 3, 4]}
    other = private("10", "SOMEBODY ELSE", _xx39=SLOP)
    assert summed(other, fields=[field]).missing == {"0043xx39 " + field_creator(field): "no value"}
    assert summed(other, fields=["00431039"]).constant == {"00431039 SOMEBODY ELSE": [1000, 2, 3, 4]}


def field_creator(field: str) -> str:
    return "gems_parm_01" if field.startswith("gems") else "GEMS_PARM_01"


def test_private_attributes_inside_sequences_and_creators_with_dots() -> None:
    creator = "1.2.840.113681"
    one = {"00081140": {"vr": "SQ", "Value": [private("11", creator, _xx01={"vr": "LO", "Value": ["a"]}), {}]}}
    found = summed(one, fields=[f"ReferencedImageSequence.{creator} 0043xx01"])
    assert found.constant == {f"ReferencedImageSequence.00431101 {creator}": ["a", None]}
    with pytest.raises(UnknownAttribute, match="'Patient' is not a DICOM keyword"):
        parse_fields(["Patient.ID"])
    shown = summed(one).constant["ReferencedImageSequence"]
    assert f"00431101 {creator}" in json.dumps(shown)


def test_private_values_of_unknown_vr_are_read_where_pydicom_knows_them() -> None:
    def inline(data: bytes) -> dict[str, Any]:
        return {"vr": "UN", "InlineBinary": base64.b64encode(data).decode()}

    elements = {"_xx39": inline(b"1000\\2\\3 "), "_xx27": inline(b"1.4:1 "), "_xxFE": inline(bytes(8))}
    found = summed(private("10", "GEMS_PARM_01", **elements), private=True)
    assert found.constant["00431039 GEMS_PARM_01 [Slop_int_6... slop_int_9]"] == [1000, 2, 3]
    assert "1.4:1" in found.constant.values()
    assert found.elided == {"004310FE GEMS_PARM_01": "bulk value (UN) of 8 bytes, not shown"}
    binary = {"00190010": {"vr": "LO", "Value": ["SIEMENS MR HEADER"]}, "00191028": inline(struct.pack("<d", 12.5)),
              "0019100C": inline(b"x" * 5_000)}  # fmt: skip
    found = summed(binary, fields=["SIEMENS MR HEADER 0019xx28", "0019100C"])
    assert 12.5 in found.constant.values()
    assert "bulk value (UN) of 5,000 bytes" in next(iter(found.elided.values()))
    assert all("bulk" in note for note in summed({**binary, "00191028": inline(b"odd")}, private=True).elided.values())


def test_all_is_everything_and_names_how_to_read_what_is_long() -> None:
    liver = obj(CodeValue="10200004", CodingSchemeDesignator="SCT", CodeMeaning="Liver")
    segment = {**obj(SegmentNumber=1, SegmentLabel="x" * 50), "0062000F": {"vr": "SQ", "Value": [liver]}}
    position = {"00209113": {"vr": "SQ", "Value": [obj(ImagePositionPatient=[1, 2, 3])]}}
    one = {"00620002": {"vr": "SQ", "Value": [segment] * 14}, "52009230": {"vr": "SQ", "Value": [position] * 62}}
    found = summed(one, fields=[" ALL "])
    assert found.elided == {
        "SegmentSequence": 'sequence of 14 items: Liver (10200004, SCT) (14 times); fields=["SegmentSequence.SegmentLabel"]',
        "PerFrameFunctionalGroupsSequence": "sequence of 62 items; "
        'fields=["PerFrameFunctionalGroupsSequence.PlanePositionSequence.ImagePositionPatient"]',
    }
    for note in found.elided.values():
        (field,) = json.loads(note.partition("fields=")[2])
        assert field in summed(one, fields=[field]).constant
    assert parse_fields(["all"]).all
    assert not parse_fields(None).all
    assert not parse_fields([]).paths
    with pytest.raises(BadArgument, match="stands alone"):
        parse_fields(["all", "Modality"])


def test_long_lists_are_words() -> None:
    position = "PerFrameFunctionalGroupsSequence.PlanePositionSequence.ImagePositionPatient"
    items = [
        {"00209113": {"vr": "SQ", "Value": [obj(ImagePositionPatient=[-1, 5, 2.5 * number])]}}
        for number in range(2_000)
    ]
    found = summed({"52009230": {"vr": "SQ", "Value": items}}, fields=[position])
    assert found.constant == {position: "2,000 values: [-1, 5, 0..4997.5 step 2.5] mm (2,000 values)"}
    assert summed(obj(WindowCenter=[40] * 300 + [50] * 212)).constant == {
        "WindowCenter": "512 values: 40 (300), 50 (212)"
    }
    assert summed(obj(WindowCenter=[40] * 512)).constant == {"WindowCenter": "512 values: all 40"}
    labels = [obj(SegmentLabel=f"organ {number}") for number in range(104)]
    segments = {"00620002": {"vr": "SQ", "Value": labels}}
    (words,) = summed(segments, fields=["SegmentSequence.SegmentLabel"]).constant.values()
    assert all(f"organ {number} (1)" in str(words) for number in range(104))
    many = {"00620002": {"vr": "SQ", "Value": [obj(SegmentLabel=f"{number} " + "x" * 60) for number in range(5_000)]}}
    (words,) = summed(many, fields=["SegmentSequence.SegmentLabel"]).constant.values()
    assert len(str(words)) < 4_000
    assert str(words).endswith(" other values")
