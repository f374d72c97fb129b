"""What a host hands to a model: one half of an answer or the other."""

import base64
import io
import json
from typing import Any

import numpy as np
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image


async def call(client: Client, tool: str, **arguments: Any) -> CallToolResult:
    return await client.call_tool(tool, arguments)


async def answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """The structured half of an answer that must not be an error."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """The text of an answer that must be an error."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    assert result.structured_content is None
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, TextContent))


def image_of(result: CallToolResult) -> ImageContent:
    (image,) = (block for block in result.content if isinstance(block, ImageContent))
    return image


def shown(result: CallToolResult) -> np.ndarray:
    """The pixels of an answer that must be a picture."""
    assert not result.is_error, text_of(result)
    assert result.structured_content is None
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(image_of(result).data))))


def characters(structured: dict[str, Any]) -> int:
    return len(json.dumps(structured, ensure_ascii=False, separators=(",", ":")))


def leaves(node: Any) -> list[str]:
    """Every value of a structured answer as text."""
    if isinstance(node, dict):
        return [leaf for value in node.values() for leaf in leaves(value)]
    if isinstance(node, list):
        return [leaf for value in node for leaf in leaves(value)]
    return [] if node is None or isinstance(node, bool) else [str(node)]
