"""Arguments of every wrong sort, to every tool that takes such an argument: a short sentence, and no request at all."""

from typing import Any

import pytest
from mcp import Client

from dicomweb_mcp.server import build
from fakes.base import Fake
from fakes.google import Google
from fakes.orthanc_like import OrthancLike
from fakes.store import Store
from support import app_over
from tools.reading import text_of

pytestmark = pytest.mark.anyio

SEARCHES = ("search_studies", "list_series", "list_instances")
OF_ONE_UID = ("get_metadata", "describe_object", "render_frame")
OF_A_SLIDE = ("describe_slide", "render_region")
BELOW_A_STUDY = ("list_series", "list_instances", *OF_ONE_UID, *OF_A_SLIDE, "store_instances")
NO_UIDS = [
    "../../admin", "1.2/../3", "1.2%2e3", "%2e%2e", "1.2/3", "/etc/passwd", "1.2\\3", "1.2?x=1", "1.2#x", "1.2 3", "1.2\n.3",
    "1.2\0.3", "1.2\x1b[2J", "１.２", "1.2.x", "1..2", ".1", "1.", "1" * 65, "1" * 1_000_000, "1.2\u202e3", "http://evil.test/1",
]  # fmt: skip
WRONG_TYPES: list[Any] = [7, 1.5, True, ["1.2"], {"uid": "1.2"}, [["1.2"]]]
WRONG_FILTERS: list[Any] = [
    "PatientID=1", ["PatientID"], 7, {"PatientID": {"like": "x"}}, {"PatientID": [{"x": 1}]}, {"PatientID": [["x"]]},
    {"PatientID": "a\0b"}, {"PatientID": "a\x1bb"}, {"PatientID": "x" * 1_000_000}, {"PatientID": ["x" * 70] * 10_000},
    {f"{number:08X}": "x" for number in range(0x00100010, 0x00100010 + 10_000)}, {"": "x"}, {"a" * 10_000: "x"},
    {"PatientID'; DROP TABLE": "x"}, {"StudyDate": "2020-13-45"}, {"StudyDate": "tomorrow"}, {"__proto__": {"x": 1}},
    {"filters": {"PatientID": "x"}}, {"StudyInstanceUID": "../x"}, {"StudyInstanceUID": ["1.2", "1.2/../3"]},
]  # fmt: skip


def cases() -> list[Any]:
    found: list[tuple[str, dict[str, Any]]] = []
    for tool in (*SEARCHES, *OF_ONE_UID, *OF_A_SLIDE):
        given = {} if tool in SEARCHES else {"study_uid": "1.2"}
        found += [
            (tool, {**given, "nonsense": 1}),
            (tool, {**given, "archive": "nowhere"}),
            (tool, {**given, "archive": {"name": "pacs"}}),
            (tool, {**given, "archive": "x" * 100_000}),
        ]
    for tool in BELOW_A_STUDY:
        given = {"paths": ["x.dcm"]} if tool == "store_instances" else {}
        found += [(tool, {**given, "study_uid": wrong}) for wrong in [*NO_UIDS, *WRONG_TYPES]]
    for tool in OF_ONE_UID:
        found += [
            (tool, {name: wrong}) for name in ("series_uid", "instance_uid") for wrong in [*NO_UIDS, *WRONG_TYPES]
        ]
    for tool in OF_A_SLIDE:
        found += [(tool, {"series_uid": wrong}) for wrong in [*NO_UIDS, *WRONG_TYPES]]
    for tool in SEARCHES:
        found += [(tool, {"filters": wrong}) for wrong in WRONG_FILTERS]
        found += [(tool, {name: wrong}) for name in ("limit", "offset") for wrong in (-1, "many", 1.5, [1], 10**30)]
        found += [(tool, {"limit": wrong}) for wrong in (0, 501)]
        found += [
            (tool, {"fields": wrong}) for wrong in ("PatientID", [7], [["x"]], ["x" * 10_000], ["PatientID"] * 10_000)
        ]
        found += [(tool, {"order": wrong}) for wrong in (7, "nonsense", "x" * 10_000)]
    found += [("get_metadata", {"study_uid": "1.2", "fields": wrong}) for wrong in ("x", [7], ["NotAKeyword"], ["a.b"])]
    for tool in ("get_metadata", "describe_object"):
        found += [(tool, {"study_uid": "1.2", "max_characters": wrong}) for wrong in (999, 40_001, "all")]
    for wrong in ({"pages": 1}, {"pages": [0]}, {"pages": [1] * 101}, {"pages": ["one"]}, {"offset": -1},
                  {"offset": 10**10}, {"volumes": "some"}, {}):  # fmt: skip
        found.append(("describe_object", {"study_uid": "1.2", **wrong}))
    for wrong in ({"frame": 0}, {"frame": "x"}, {"size": 1}, {"size": 10**9}, {"format": "gif"}, {"region": "all"},
                  {"region": [1, 2, 3]}, {"region": [1] * 10_000}, {"window": "x" * 81}, {"window": 40}, {"slice": "x"},
                  {"probe": "all"}, {"probe": [1, 2]}, {"probe": [[1]]}, {"probe": [[-1, 0]]}, {"probe": [[0.5, 0]]},
                  {"probe": [[1, 2]] * 10_000}, {"statistics": [1, 2, 3]}, {"statistics": [0, 0, 0, 1]},
                  {"statistics": True}, {"overlay": "1.2/../3"}, {"segment": [1], "overlay": "1.2"}):  # fmt: skip
        found.append(("render_frame", {"series_uid": "1.2", **wrong}))
    for wrong in ({"samples": 0}, {"samples": 37}, {"slices": []}, {"slices": [0]}, {"slices": [1] * 37}, {"windows": []},
                  {"windows": ["auto"] * 5}, {"windows": "lung"}, {"windows": ["x" * 81]}, {"windows": ["5..1"]},
                  {"size": 63}, {"format": "gif"}, {"plane": "oblique"}, {"compare_with": "1.2/3"},
                  {"overlay": "../x"}):  # fmt: skip
        found.append(("preview_series", {"series_uid": "1.2", **wrong}))
    found.append(("describe_slide", {"series_uid": "1.2", "tissue": "maybe"}))
    box = {"x": 0, "y": 0, "width": 9, "height": 9}
    for wrong in ({}, {"x": 0}, {"x": 0, "y": 0, "width": 9}, {**box, "width": 0}, {**box, "height": -1},
                  {**box, "x": "left"}, {**box, "x": 1e300}, {**box, "width": 1e300}, {**box, "level": -1},
                  {**box, "level": 0.5}, {**box, "whole": True}, {**box, "center": [1, 1], "field_of_view_um": 5},
                  {"center": [1], "field_of_view_um": 5}, {"center": [1, 2, 3], "field_of_view_um": 5},
                  {"center": [1, 2]}, {"field_of_view_um": 5}, {"center": [1, "x"], "field_of_view_um": 5},
                  {"center": [1] * 100_000, "field_of_view_um": 5}, {**box, "unit": "inch"}, {"unit": "mm"},
                  {"whole": True, "unit": "mm"}, {"whole": True, "um_per_px": 0}, {"whole": True, "magnification": -20},
                  {"whole": True, "um_per_px": 1, "magnification": 20}, {**box, "level": 1, "um_per_px": 1},
                  {"whole": True, "size": 63}, {"whole": True, "size": 10**9}, {"whole": True, "format": "gif"},
                  {"whole": True, "focal_plane": 0}, {"whole": True, "optical_path": 7}, {"whole": "all"}):  # fmt: skip
        found.append(("render_region", {"series_uid": "1.2", **wrong}))
    return [pytest.param(tool, arguments, id=f"{number}-{tool}") for number, (tool, arguments) in enumerate(found)]


@pytest.fixture(scope="module", params=["google", "orthanc"])
async def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One server for all cases, and the archive behind it."""
    store = Store.synthetic(studies=2)
    fake: Fake = Google(store) if request.param == "google" else OrthancLike(store)
    root = tmp_path_factory.mktemp("outgoing").resolve()
    (root / "x.dcm").touch()
    async with Client(build(app_over({"pacs": (fake, request.param)}, [root])), raise_exceptions=True) as client:
        yield client, fake


@pytest.mark.parametrize(("tool", "arguments"), cases())
async def test_a_wrong_argument_is_explained_and_reaches_no_archive(asked: Any, tool: str, arguments: Any) -> None:
    client, fake = asked
    before = len(fake.requests)
    result = await client.call_tool(tool, arguments)
    text = text_of(result)
    assert result.is_error, text
    assert len(fake.requests) == before, "nothing is sent"
    assert not text.startswith("Error executing"), text
    assert 10 < len(text) < 3_000
    assert "Traceback" not in text
    assert "\0" not in text
