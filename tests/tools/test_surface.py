"""The tool surface is a contract: what a model reads before it calls, kept in files and held to the rules of hosts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from mcp.types import Tool

from dicomweb_mcp.server import build, instructions
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent / "surface"
OFFLINE = {"search_idc", "query_idc_index", "cite_idc"}  # tools over the index, which ask no archive
CONFIGURATIONS = {
    "idc": ["idc"],
    "mixed": [
        "pacs=http://host:8042/dicom-web",
        "idc",
        "lab=gcp:p/l/d/s",
        "arc=http://h/aets/A/rs",
        "x=https://y.test/rs",
    ],
}


FILES = {"retrieve_instances", "delete_instances", "copy_instances"}  # offered where they are permitted


async def tools(*archives: str, **permitted: Any) -> list[Tool]:
    return list(await build(App(load(archives=archives, environment={}, **permitted))).list_tools())


async def tools_for_files(tmp_path: Path) -> list[Tool]:
    """Those that are offered because everything is permitted."""
    archives = ("pacs=http://host:8042/dicom-web", "lab=gcp:p/l/d/s")
    permits = ["pacs:store", "pacs:delete", "lab:store"]
    return [tool for tool in await tools(*archives, permits=permits, file_roots=[tmp_path]) if tool.name in FILES]


def wire(tool: Tool) -> dict[str, Any]:
    return tool.model_dump(mode="json", by_alias=True, exclude_none=True)


def compare(name: str, text: str) -> None:
    path = HERE / name
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{name} is missing: look at the tool, then run with UPDATE_GOLDEN=1"
    assert text == path.read_text(encoding="utf-8"), f"{name} changed: if you mean it, run with UPDATE_GOLDEN=1"


async def test_the_surface_is_as_recorded(tmp_path: Path) -> None:
    for tool in [*await tools("idc"), *await tools_for_files(tmp_path)]:
        compare(f"{tool.name}.json", json.dumps(wire(tool), indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    compare("instructions.txt", instructions(load(environment={})) + "\n")


@pytest.mark.parametrize("archives", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
async def test_every_tool_keeps_the_rules_of_hosts(archives: list[str], tmp_path: Path) -> None:
    found = [*await tools(*archives), *await tools_for_files(tmp_path)]
    assert len({tool.name for tool in found}) == len(found)
    for tool in found:
        assert tool.title
        assert tool.description
        assert len(tool.description) <= 2_048
        assert tool.description.isascii()
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is (tool.name not in {"store_instances", *FILES})
        if not tool.annotations.read_only_hint:
            assert tool.annotations.destructive_hint is (tool.name == "delete_instances")
            assert tool.annotations.idempotent_hint is True
        assert tool.annotations.open_world_hint is (tool.name not in OFFLINE)
        schema = tool.input_schema
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert not {"anyOf", "oneOf", "allOf"} & schema.keys()
        archives = {"archive", "from_archive", "to_archive"} & schema["properties"].keys()
        assert bool(archives) is (tool.name not in OFFLINE)
        for name, described in schema["properties"].items():
            assert described.get("description") or "$ref" in described, f"{tool.name}.{name} is not described"
        assert '"title"' not in json.dumps(schema)
        if tool.output_schema is not None:
            assert tool.output_schema["type"] == "object"


async def test_picture_tools_have_no_structured_half_and_data_tools_do() -> None:
    for tool in await tools("idc"):
        assert (tool.output_schema is None) == (tool.name in ("render_frame", "preview_series", "render_region"))


async def test_the_tools_and_their_arguments() -> None:
    expected = {
        "list_archives": {"archive", "check"},
        "search_studies": {"archive", "filters", "fields", "limit", "offset", "order", "count", "fuzzy"},
        "list_series": {"archive", "study_uid", "filters", "fields", "limit", "offset", "order", "count", "fuzzy"},
        "list_instances": {"archive", "study_uid", "series_uid", "filters", "fields", "limit", "offset", "order", "count"},
        "get_metadata": {"archive", "study_uid", "series_uid", "instance_uid", "fields", "private", "max_characters"},
        "describe_object": {"archive", "study_uid", "series_uid", "instance_uid", "pages", "offset", "volumes",
                            "max_characters"},
        "render_frame": {"archive", "study_uid", "series_uid", "instance_uid", "frame", "slice", "position_mm", "stack",
                         "window", "region", "size", "format", "probe", "statistics", "overlay", "segment"},
        "preview_series": {"archive", "study_uid", "series_uid", "samples", "slices", "stack", "plane",
                           "compare_with", "overlay", "segment", "windows", "size", "format"},
        "describe_slide": {"archive", "study_uid", "series_uid", "tissue"},
        "render_region": {"archive", "study_uid", "series_uid", "level", "x", "y", "width", "height", "unit", "center",
                          "field_of_view_um", "um_per_px", "magnification", "whole", "focal_plane", "optical_path",
                          "scale_bar", "size", "format"},
        "store_instances": {"archive", "paths", "metadata", "study_uid", "dry_run", "confirm"},
    }  # fmt: skip
    assert {tool.name: set(tool.input_schema["properties"]) for tool in await tools("idc")} == expected | {
        "search_idc": {"collection", "analysis_result", "modality", "body_part", "manufacturer", "model", "sex", "age",
                       "study_date", "license", "transfer_syntax", "text", "cancer_type", "tumor_location", "species",
                       "patient_id", "study_uid", "series_uid", "new_since", "derived", "same_patient_has",
                       "same_study_has", "group_by", "fields", "limit", "offset", "order"},
        "query_idc_index": {"sql", "max_rows"},
        "cite_idc": {"uids", "collection", "style", "manifest"},
    }  # fmt: skip


async def test_the_tools_for_files_and_their_arguments(tmp_path: Path) -> None:
    expected = {
        "retrieve_instances": {"archive", "study_uid", "series_uid", "instance_uids", "frames", "bulk_path", "directory",
                               "as_stored"},
        "delete_instances": {"archive", "study_uid", "series_uid", "instance_uid", "token"},
        "copy_instances": {"from_archive", "to_archive", "study_uid", "series_uid", "instance_uids", "dry_run", "confirm"},
    }  # fmt: skip
    assert {tool.name: set(tool.input_schema["properties"]) for tool in await tools_for_files(tmp_path)} == expected


async def test_what_only_google_offers_is_offered_where_it_is_stored_into(tmp_path: Path) -> None:
    archives = ("pacs=http://host:8042/dicom-web", "lab=gcp:p/l/d/s")
    for permits, offered in ([["pacs:store"], set()], [["lab:store"], {"storage_class", "send_json"}]):
        found = {tool.name: tool for tool in await tools(*archives, permits=permits, file_roots=[tmp_path])}
        arguments = found["store_instances"].input_schema["properties"].keys()
        assert arguments & {"storage_class", "send_json"} == offered


async def test_without_the_index_its_tools_are_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    from dicomweb_mcp import server

    monkeypatch.setattr(server, "is_installed", lambda: False)
    assert not OFFLINE & {tool.name for tool in await tools("idc")}
    assert "dicomweb-mcp[idc]" in instructions(load(archives=["idc"], environment={}))


async def test_the_schema_names_what_each_archive_can_search() -> None:
    by_name = {tool.name: tool.input_schema for tool in await tools(*CONFIGURATIONS["mixed"])}
    archive = by_name["search_studies"]["properties"]["archive"]
    assert archive["enum"] == ["pacs", "idc", "lab", "arc", "x"]
    assert archive["default"] == "pacs"
    filters = by_name["search_studies"]["properties"]["filters"]
    assert filters["additionalProperties"] == {"$ref": "#/$defs/FilterValue"}
    described = filters["properties"]["PatientID"]["description"]
    assert described == "pacs, arc: exact, list, wildcard; idc, lab: exact; x: exact, wildcard"
    assert "BodyPartExamined" not in filters["properties"]
    assert "BodyPartExamined" in by_name["list_series"]["properties"]["filters"]["properties"]


async def test_the_whole_list_stays_small() -> None:
    """Some 12,500 tokens for one archive, 3,400 of them for the index of IDC and 1,100 for slides; what each of five can
    search is told beside each keyword."""
    for configuration, most in [("idc", 52_000), ("mixed", 59_500)]:
        found = await tools(*CONFIGURATIONS[configuration])
        assert len(json.dumps([wire(tool) for tool in found], separators=(",", ":"))) < most


@pytest.mark.parametrize("archives", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_instructions_fit_and_follow_the_configuration(archives: list[str], tmp_path: Path) -> None:
    text = instructions(load(archives=archives, environment={}))
    assert len(text) <= 2_048
    assert "daily quota" in text
    assert "reads only" in text
    assert "daily quota" not in instructions(load(archives=["x=https://y.test/rs"], environment={}))
    many = [f"{'a' * 28}{number}=https://y.test/rs" for number in range(200)]
    permits = [f"{flag.partition('=')[0]}:{permission}" for flag in many for permission in ("store", "delete")]
    everything = load(archives=["idc", *many], permits=permits, file_roots=[tmp_path], environment={})
    assert len(instructions(everything)) <= 2_048
    assert "and 198 more" in instructions(everything)


def test_the_instructions_say_how_to_open_what_the_index_finds() -> None:
    with_idc, without = (
        instructions(load(archives=[one], environment={})) for one in ("idc", "pacs=https://h.test/rs")
    )
    assert "then open it by UID" in with_idc
    assert "then open it by UID" not in without
    assert "add --archive idc" in without
