from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from dicomweb_mcp.prompts import load_prompts, read_prompt
from dicomweb_mcp.server import build
from dicomweb_mcp.services.app import App
from dicomweb_mcp.settings import load

pytestmark = pytest.mark.anyio

ANYWHERE = {"find_images", "summarize_study", "show_slice", "explore_slide", "teaching_case"}
WITH_THE_INDEX = {"find_cohort", "whats_new", "cite_this", "can_i_use_this", "download_plan", "resolve_uid"}


@pytest.fixture(params=["auto", "legacy"])
async def client(request):
    async with Client(build(App(load(environment={}))), mode=request.param) as connected:
        yield connected


async def test_the_prompts_there_are(client: Client) -> None:
    listed = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
    assert set(listed) == ANYWHERE | WITH_THE_INDEX
    for prompt in listed.values():
        assert prompt.title
        assert prompt.description
        assert prompt.arguments
        assert all(argument.description for argument in prompt.arguments)


def test_prompts_that_need_the_index_are_not_offered_without_it() -> None:
    assert {prompt.name for prompt in load_prompts()} == ANYWHERE
    assert {prompt.name for prompt in load_prompts({"index"})} == ANYWHERE | WITH_THE_INDEX


async def test_a_prompt_is_filled_with_what_was_given_and_defaults(client: Client) -> None:
    filled = await client.get_prompt("show_slice", {"series_uid": "1.2.{x}", "window": "lung"})
    text = filled.messages[0].content.text
    assert "Show slice middle of series 1.2.{x} with window lung." in text
    filled = await client.get_prompt("summarize_study", {"study_uid": "1.2.3", "archive": "pacs"})
    assert "Archive: pacs." in filled.messages[0].content.text


@pytest.mark.parametrize("given", [{}, {"series_uid": " "}])
async def test_a_missing_argument_is_named(client: Client, given: dict[str, str]) -> None:
    with pytest.raises(MCPError, match="Prompt show_slice needs series_uid"):
        await client.get_prompt("show_slice", given)


async def test_prompts_name_tools_and_arguments_that_exist() -> None:
    offered = await build(App(load(environment={}))).list_tools()
    tools = {tool.name: tool.input_schema["properties"] for tool in offered}
    fields = {field for tool in offered for field in (tool.output_schema or {}).get("properties", {})}
    counted = {"derived_series"}  # in counts
    folder = Path(__file__).parents[1] / "prompts"
    import re

    for path in folder.glob("*.md"):
        body = re.sub(r"\{\w+\}", "", path.read_text(encoding="utf-8").partition("---")[2])
        for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", body):
            known = word in tools or any(word in arguments for arguments in tools.values()) or word in fields | counted
            assert known, f"{path.name} names {word}"


@pytest.mark.parametrize("text", ["title: x\nno separator", "tilte: x\n---\nbody", "argument a b: x\n---\nbody"])
def test_a_prompt_file_that_is_not_of_the_form(tmp_path: Path, text: str) -> None:
    path = tmp_path / "p.md"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"p\.md"):
        read_prompt(path)
