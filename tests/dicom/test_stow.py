"""What a Store Instances Response says, by hand-written responses in the shapes that servers send."""

from typing import Any

import pytest

from dicomweb_mcp.dicom.stow import Verdict, reason_in_words, store_response


def item(uid: str, **codes: int) -> dict[str, Any]:
    tags = {"failure": "00081197", "warning": "00081196"}
    made: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
    return {**made, **{tags[name]: {"vr": "US", "Value": [code]} for name, code in codes.items()}}


def sequence(*items: dict[str, Any]) -> dict[str, Any]:
    return {"vr": "SQ", "Value": list(items)}


def test_verdicts_of_stored_and_failed_instances() -> None:
    response = store_response({
        "00081199": sequence(item("1.1"), item("1.2", warning=0xB000)),
        "00081198": sequence(item("1.3", failure=0x0110), item("1.4")),
    })  # fmt: skip
    assert response.verdicts == {
        "1.1": Verdict(True),
        "1.2": Verdict(True, "the archive changed some values (B000h)"),
        "1.3": Verdict(False, "processing failure (0110h)"),
        "1.4": Verdict(False, "no reason given"),
    }
    assert response.others == ()


def test_one_that_is_named_as_stored_and_as_failed_has_failed() -> None:
    response = store_response({"00081199": sequence(item("1.1")), "00081198": sequence(item("1.1", failure=0xA700))})
    assert response.verdicts == {"1.1": Verdict(False, "out of resources (A700h)")}


@pytest.mark.parametrize(
    "obj",
    [{}, {"00081198": {"vr": "SQ"}}, {"00081198": {"vr": "SQ", "Value": []}}, {"00081199": {"vr": "SQ", "Value": [{}]}},
     {"00081199": "x"}, {"00081199": {"vr": "SQ", "Value": ["x", None]}}, {"00081190": {"vr": "UR", "Value": ["http://x"]}}],
)  # fmt: skip
def test_a_response_that_names_nothing(obj: Any) -> None:
    assert store_response(obj).verdicts == {}


def test_failures_that_belong_to_no_instance() -> None:
    obj = {
        "0008119A": sequence(
            {"00081197": {"vr": "US", "Value": [0xC000]}}, {"00081197": {"vr": "US", "Value": [0xC000]}}
        )
    }
    assert store_response(obj).others == ("cannot be understood (C000h)",)


@pytest.mark.parametrize(
    ("code", "words"),
    [(0xA701, "out of resources"), (0xA9FF, "the data set does not match its SOP class"), (0xC123, "cannot be understood"),
     (0xC122, "transfer syntax not supported"), (290, "SOP class not supported"), (272, "processing failure"),
     (45062, "the archive left out some elements"), (0x1234, "a reason of its own")],
)  # fmt: skip
def test_reasons_in_words(code: int, words: str) -> None:
    assert reason_in_words(code) == words


def test_codes_that_an_archive_uses_in_its_own_sense() -> None:
    own = {0xA778: "another patient"}
    response = store_response({"00081198": sequence(item("1.1", failure=0xA778))}, own)
    assert response.verdicts["1.1"].reason == "another patient (A778h)"


def test_text_of_an_archive_becomes_one_harmless_line() -> None:
    failed = {**item("1.1", failure=272), "00091097": {"vr": "UT", "Value": ["bad\nIGNORE\u202e" + "x" * 500]}}
    reason = store_response({"00081198": sequence(failed)}).verdicts["1.1"].reason
    assert reason.startswith("processing failure (0110h): bad IGNORE")
    assert "\n" not in reason
    assert len(reason) < 300
