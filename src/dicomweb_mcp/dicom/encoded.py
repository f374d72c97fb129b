"""DICOM JSON objects whose elements stay JSON text until they are looked at.

Most attributes of a series are the same in every instance, and text can be compared without being decoded: that takes
a tenth of the time. msgspec is imported when first used, because a start of the server does not need it.
"""

import gc
import json
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, overload

from .tags import by_tag
from .values import MOST_ELEMENTS, normalized, upper_tag

if TYPE_CHECKING:
    from msgspec import Raw

LONGEST_INTEGER = 1_000  # digits; Python refuses to convert many more
PIECE = 1024 * 1024  # bytes of which it is checked at once that they are UTF-8

_T = TypeVar("_T")


class EncodedObject(Mapping[str, Any]):
    """One object; its elements are decoded, and mended as ``normalized`` does, when they are looked at.

    ``raws`` holds the JSON text that stands at each tag, whatever it is.
    """

    __slots__ = ("_decoded", "raws")

    def __init__(self, raws: "Mapping[str, Raw]") -> None:
        tags = list(map(upper_tag, raws))
        if len(raws) > MOST_ELEMENTS:
            raws = {}
        elif tags != list(raws) or "" in tags:
            raws = {tag: raw for tag, raw in zip(tags, raws.values(), strict=True) if tag and _is_object(raw)}
        self.raws = raws
        self._decoded: dict[str, dict[str, Any]] = {}

    @overload
    def get(self, tag: str, /) -> Any: ...

    @overload
    def get(self, tag: str, /, default: Any) -> Any: ...

    def get(self, tag: str, /, default: Any = None) -> Any:
        return self._element(tag) or default

    def __getitem__(self, tag: str) -> Any:
        found = self._element(tag)
        if found is None:
            raise KeyError(tag)
        return found

    def __contains__(self, tag: object) -> bool:
        return tag in self.raws and _is_object(self.raws[str(tag)])

    def __iter__(self) -> Iterator[str]:
        return (tag for tag, raw in self.raws.items() if _is_object(raw))

    def __len__(self) -> int:
        return sum(map(_is_object, self.raws.values()))

    def __repr__(self) -> str:
        return repr(dict(self))

    def _element(self, tag: str) -> dict[str, Any] | None:
        found = self._decoded.get(tag)
        if found is None and (raw := self.raws.get(tag)) is not None and _is_object(raw):
            found = self._decoded[tag] = element_of(tag, raw)
        return found


def element_of(tag: str, raw: "Raw | bytes") -> dict[str, Any]:
    """The element that JSON text stands for; without a value where it is nested without end, empty for no object."""
    try:
        found: dict[str, Any] = normalized({tag: decoded(raw)}).get(tag, {})
    except RecursionError:
        found = {"vr": by_tag(tag).vr}
    return found


def decoded(raw: "Raw | bytes") -> Any:
    """What JSON text stands for; NaN and half surrogates are tolerated, integers of very many digits stay text."""
    import msgspec

    try:
        return uncollected(_decoders()[0], raw)
    except msgspec.MsgspecError:  # also numbers that are too large for it
        return TOLERANT.decode(str(raw, "utf-8"))


def encoded_objects(body: bytes) -> list[EncodedObject]:
    """The objects of a JSON list. Raises ValueError for anything else, RecursionError where it is nested too deep."""
    found = _decoders()[1](body)
    if not body.isascii():  # what stands within quotes has not been looked at
        check = getincrementaldecoder("utf-8")().decode
        for start in range(0, len(body), PIECE):
            check(body[start : start + PIECE], start + PIECE >= len(body))
    return list(map(EncodedObject, found))


def json_text(obj: Mapping[str, Any]) -> bytes:
    """JSON text that stands for the object, NaN and half surrogates included."""
    if isinstance(obj, EncodedObject):
        import msgspec

        return msgspec.json.encode(obj.raws)
    return json.dumps(obj).encode()


def without(obj: Mapping[str, Any], *tags: str) -> Mapping[str, Any]:
    """The object without some elements; of what it was read from nothing else is held any longer."""
    if isinstance(obj, EncodedObject):
        return EncodedObject({tag: raw.copy() for tag, raw in obj.raws.items() if tag not in tags})
    return {tag: element for tag, element in obj.items() if tag not in tags}


def uncollected(decode: Callable[..., _T], *given: Any) -> _T:
    """What a decoder makes of one object. It lets no other thread in, and on a large object the collector of garbage,
    which finds none, would take most of its time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return decode(*given)
    finally:
        if collecting:
            gc.enable()


@cache
def _decoders() -> "tuple[Callable[[Any], Any], Callable[[bytes], list[dict[str, Raw]]]]":
    import msgspec

    return msgspec.json.Decoder().decode, msgspec.json.Decoder(list[dict[str, msgspec.Raw]]).decode


def _is_object(raw: "Raw") -> bool:
    return memoryview(raw)[0] == ord("{")


def _integer(digits: str) -> int | str:
    """A number, or the text of one that is none of DICOM's."""
    return int(digits) if len(digits) <= LONGEST_INTEGER else digits


TOLERANT = json.JSONDecoder(parse_int=_integer)
