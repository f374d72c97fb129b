"""The Native DICOM Model (PS3.19 A.1) as DICOM JSON: what some servers answer to a store request in place of JSON."""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from .values import DicomJson

INTEGERS = frozenset({"US", "UL", "SS", "SL"})


class _Plain(TreeBuilder):
    """Without a document type, and so without entities of its own, which could stand for gigabytes."""

    def doctype(self, *_: object) -> None:
        raise ParseError("a document type")


def from_native_xml(body: bytes) -> DicomJson:
    """The attributes of a document, and those of the items of its sequences, but of no sequences within these; nothing
    where it is none."""
    parser = XMLParser(target=_Plain())
    try:
        parser.feed(body)
        return _attributes(parser.close())
    except (ParseError, ValueError, LookupError):  # LookupError: an encoding that nobody knows
        return {}


def _attributes(parent: Element, *, with_items: bool = True) -> DicomJson:
    found: dict[str, Any] = {}
    for attribute in _children(parent, "DicomAttribute"):
        vr = attribute.get("vr", "")
        values: list[Any] = [_value(value.text or "", vr) for value in _children(attribute, "Value")]
        if vr == "SQ" and with_items:
            values = [_attributes(item, with_items=False) for item in _children(attribute, "Item")]
        found[attribute.get("tag", "").upper()] = {"vr": vr, "Value": values}
    return found


def _children(parent: Element, name: str) -> Iterator[Element]:
    """By name, whatever the name space: not every server writes the standard's."""
    return (child for child in parent if child.tag.rpartition("}")[2] == name)


def _value(text: str, vr: str) -> str | int:
    return int(text) if vr in INTEGERS and text.strip().isdecimal() else text.strip()
