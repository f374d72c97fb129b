"""What a describer gives: the content of one object, in the parts that an answer shows."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Description:
    """The content of one object.

    ``facts`` hold once, by DICOM keyword where there is one, else by a name in lower case that ends in its unit
    (``volume_ml``). ``items`` are the segments, ROIs, measurements, images shown, channels: one row each, empty values
    left out. ``text`` is prose of the object, lines of at most a few hundred characters; ``pages`` is how many pages
    there are in all where it has pages. ``notes`` say what is unusual or not conformant, as sentences; ``elided`` what
    exists and is not shown, and how to get it. What comes from the archive has gone through ``clean`` or
    ``clean_lines``.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    items: list[dict[str, Any]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    pages: int | None = None
    notes: list[str] = field(default_factory=list)
    elided: list[str] = field(default_factory=list)
