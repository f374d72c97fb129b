"""UIDs against the grammar of PS3.5 9.1, and nothing else in the path of a request."""

import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mcp import Client

from dicomweb_mcp.dicom.uids import checked_uid, is_uid
from dicomweb_mcp.errors import BadArgument
from dicomweb_mcp.server import build
from fakes.google import Google
from fakes.store import Store, synthetic_uid
from support import app_over
from tools.reading import text_of

pytestmark = pytest.mark.anyio

GRAMMAR = re.compile(rb"(?=.{1,64}\Z)(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*\Z")  # PS3.5 9.1
COMPONENTS = st.lists(st.integers(0, 10**12).map(str), min_size=1, max_size=12)
UIDS = COMPONENTS.map(".".join).filter(lambda uid: len(uid) <= 64)
# what leads out of a path, ends a line, or looks like a digit
FOREIGN = [
    "../", "/", "\\", "%2e", "%2F", "%00", "?", "#", "&", ";", "@", ":", " ", "\t", "\r", "\n", "\0", "\u2028", "\x85",
    "+", "-", "*", ",", "e", "x", "٣", "３", "²", "．", "‥", "\ufeff", "\u200b", "..", "'", '"', "<",
]  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A UID with something foreign in it, or too long by a character or more."""
    uid, foreign = draw(UIDS), draw(st.sampled_from(FOREIGN))
    place = draw(st.integers(0, len(uid)))
    longer = "1" * (65 - len(uid)) + uid
    return draw(st.sampled_from([uid[:place] + foreign + uid[place:], uid + ".", "." + uid, longer, foreign, ""]))


@given(UIDS)
@example("0")
@example("1." * 31 + "12")
def test_what_the_standard_allows_is_a_uid(uid: str) -> None:
    assert GRAMMAR.match(uid.encode())
    assert is_uid(uid)
    assert checked_uid(f" {uid}\0\r\n", "study_uid") == uid


@given(spoilt())
@example("1.2\n")
@example("1.2.840/../3")
@example("1" * 65)
@example("１.２")
def test_what_is_spoilt_is_none(text: str) -> None:
    assert not is_uid(text)
    try:
        found = checked_uid(text, "study_uid")
    except BadArgument as refusal:
        said = str(refusal)
        assert said.startswith("study_uid=")
        assert said.isprintable()
    else:
        assert found == text.strip(" \0\t\r\n"), "only blanks around a UID are taken off"
        assert is_uid(found)


@given(st.one_of(st.text(max_size=70), st.text("0123456789.", max_size=70)))
def test_any_text_is_judged_by_the_grammar(text: str) -> None:
    """Leading zeros are let through: archives hold such files."""
    without_zeros = re.sub(r"(^|\.)0+(?=[0-9])", r"\1", text)
    assert is_uid(text) == (len(text) <= 64 and GRAMMAR.match(without_zeros.encode()) is not None)


# ---- arguments of tools ------------------------------------------------------------------------------------------------

STUDY, SERIES, INSTANCE = synthetic_uid(0), synthetic_uid(0, 1), synthetic_uid(0, 1, 1)
CALLS: list[tuple[str, dict[str, str]]] = [
    ("list_series", {"study_uid": STUDY}),
    ("list_instances", {"study_uid": STUDY, "series_uid": SERIES}),
    ("list_instances", {"series_uid": SERIES}),
    ("get_metadata", {"study_uid": STUDY, "series_uid": SERIES, "instance_uid": INSTANCE}),
    ("get_metadata", {"instance_uid": INSTANCE}),
    ("render_frame", {"study_uid": STUDY, "series_uid": SERIES, "instance_uid": INSTANCE}),
    ("render_frame", {"series_uid": SERIES}),
    ("preview_series", {"study_uid": STUDY, "series_uid": SERIES}),
]


@given(st.sampled_from([(tool, uids, wrong) for tool, uids in CALLS for wrong in uids]), spoilt())
@settings(max_examples=25)
async def test_a_tool_refuses_what_is_no_uid_before_anything_is_sent(
    asked: tuple[str, dict[str, str], str], wrong: str
) -> None:
    tool, arguments, spoilt_one = asked
    assume(wrong and not is_uid(wrong.strip(" \0\t\r\n")))
    fake = Google(Store.synthetic(studies=1))
    async with Client(build(app_over({"pacs": (fake, "google")}))) as client:
        result = await client.call_tool(tool, {**arguments, spoilt_one: wrong})
        assert result.is_error
        assert "is not a UID" in text_of(result)
        assert fake.requests == []
