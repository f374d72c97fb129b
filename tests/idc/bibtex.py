"""A small reader of BibTeX, written from its grammar and from nothing of ours: one entry, values in braces."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    kind: str
    key: str
    fields: dict[str, str]


def read(text: str) -> Entry:
    """Raises ValueError for what BibTeX would not take."""
    head = re.match(r'@([a-z]+)\{([^\s{}",#%\'()=\\~]+),\s*', text)
    if not head:
        raise ValueError(f"no head of an entry: {text[:60]!r}")
    at, fields = head.end(), {}
    while text[at] != "}":
        name = re.compile(r"([a-z]+)\s*=\s*\{").match(text, at)
        if not name:
            raise ValueError(f"no field at {text[at : at + 40]!r}")
        depth, end = 1, name.end()
        while depth:  # braces count even behind a backslash
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        if name[1] in fields:
            raise ValueError(f"{name[1]} twice")
        fields[name[1]] = text[name.end() : end - 1]
        at = re.compile(r"\s*,?\s*").match(text, end).end()  # type: ignore[union-attr]
    if text[at + 1 :].strip():
        raise ValueError(f"more behind the entry: {text[at + 1 :][:40]!r}")
    return Entry(head[1], head[2], fields)


def unescaped(value: str) -> str:
    """A value as LaTeX prints it."""
    for mark, char in ((r"\textbraceleft{}", "\1"), (r"\textbraceright{}", "\2"), (r"\textbackslash{}", "\3")):
        value = value.replace(mark, char)
    value = re.sub(r"(?<!\\)[{}]", "", re.sub(r"\\textascii(tilde|circum)\{\}", r"\\\1", value))
    value = value.replace(r"\tilde", "~").replace(r"\circum", "^")
    return re.sub(r"\\([&%_#$])", r"\1", value).translate({1: "{", 2: "}", 3: "\\"})
