"""Coded concepts (PS3.3 8.8) as words: ``Liver (10200004, SCT)``."""

from .values import DicomJson, clean, items, text


def code_text(item: DicomJson) -> str:
    """One item of a code sequence: ``meaning (value, scheme)``, as much of it as there is; empty for no code."""
    meaning = clean(text(item, "CodeMeaning"))
    value = text(item, "CodeValue") or text(item, "LongCodeValue") or text(item, "URNCodeValue")
    code = clean(", ".join(part for part in (value, text(item, "CodingSchemeDesignator")) if part))
    return f"{meaning} ({code})" if meaning and code else meaning or code


def coded(obj: DicomJson, keyword: str) -> str:
    """The codes of a code sequence, joined by ``; ``; empty when it has none."""
    return "; ".join(filter(None, map(code_text, items(obj, keyword))))


def meaning(obj: DicomJson, keyword: str) -> str:
    """The meaning of the first code of a sequence, or its value where it has no meaning; empty when it has none."""
    found = items(obj, keyword)
    return clean(text(found[0], "CodeMeaning") or text(found[0], "CodeValue")) if found else ""
