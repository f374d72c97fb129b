"""Windows (VOI, PS3.3 C.11.2.1.2): the three functions, the presets, and how a person writes one."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .problems import WindowRefused
from .request import PRESETS

Function = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
FUNCTIONS: dict[str, Function] = {"linear": "LINEAR", "linearexact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}


@dataclass(frozen=True)
class Window:
    """Center and width in real units. Raises WindowRefused for a width that the function does not allow."""

    center: float
    width: float
    function: Function = "LINEAR"

    def __post_init__(self) -> None:
        least = 1 if self.function == "LINEAR" else 0
        if not (np.isfinite(self.center) and np.isfinite(self.width)):
            raise WindowRefused("Window center and width must be finite numbers.")
        if self.width < least or self.width <= 0:
            raise WindowRefused(
                f"Window width {self.width:g} is too small: more than 0, and for a linear window at least 1. "
                'For a narrower one write the range "min..max", such as "0..0.5".'
            )

    def __str__(self) -> str:
        function = "" if self.function == "LINEAR" else f" {self.function.lower().replace('_', '-')}"
        return f"{self.center:.6g}/{self.width:.6g}{function}"

    @classmethod
    def between(cls, lowest: float, highest: float) -> "Window":
        """Black at ``lowest`` (and below), white at ``highest`` (and above), straight in between."""
        return cls((lowest + highest) / 2, highest - lowest, "LINEAR_EXACT")

    @property
    def ends(self) -> tuple[float, float] | None:
        """The highest real value that is black and the lowest that is white; None for the sigmoid."""
        if self.function == "SIGMOID":
            return None
        center, width = self._straight
        return center - width / 2, center + width / 2

    @property
    def _straight(self) -> tuple[float, float]:
        """Center and width of the straight part: linear counts in steps of 1, and so is shifted and narrower."""
        return (self.center, self.width) if self.function == "LINEAR_EXACT" else (self.center - 0.5, self.width - 1)

    def apply(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Brightness from 0 to 255, not rounded; the same shape. NaN becomes 0."""
        y = values.astype(np.float64)
        if self.function == "SIGMOID":
            with np.errstate(over="ignore"):
                y = 255 / (1 + np.exp(-4 * (y - self.center) / self.width))
        elif self.function == "LINEAR" and self.width == 1:
            y = np.where(y > self.center - 0.5, 255.0, 0.0)
        else:  # ((value - center) / width + 0.5) * 255, in place: a frame of floats is large
            center, width = self._straight
            y -= center
            y /= width
            y += 0.5
            y *= 255
        return np.nan_to_num(np.clip(y, 0, 255, out=y), copy=False, nan=0.0)


def as_bytes(brightness: NDArray[np.float64]) -> NDArray[np.uint8]:
    """0.0 to 255.0 -> 0 to 255, halves rounded up."""
    raised = brightness + 0.5
    return np.floor(raised, out=raised).astype(np.uint8)


SPELLINGS = (
    f'"auto", a CT preset ({", ".join(PRESETS)}), "center,width" such as "40,400" (also "40,400,linear-exact" or '
    '"40,400,sigmoid"), a range "min..max" such as "-100..300", or the name of a window of the file'
)


@dataclass(frozen=True)
class WindowRequest:
    """What was asked for: "auto", one of the presets, a window as given, or a ``name`` that the file must know."""

    kind: Literal["auto", "preset", "given", "named"]
    name: str = ""
    window: Window | None = None


def parse_window(text: str) -> WindowRequest:
    """Read a person's spelling. Raises WindowRefused, with what is allowed.

    A word that is no preset may be the name of a window of the file: ``choose_window`` decides.
    """
    written = text.strip().replace("\N{MINUS SIGN}", "-")
    folded = fold(written)
    if written.casefold() in ("auto", ""):
        return WindowRequest("auto")
    for name, window in PRESETS.items():
        if folded == fold(name):
            return WindowRequest("preset", name, Window(*window))
    if match := _RANGE.fullmatch(written):
        return WindowRequest("given", written, _range(_number(match[1]), _number(match[2])))
    if match := _PAIR.fullmatch(written):
        function = FUNCTIONS[fold(match[3] or "linear")]
        return WindowRequest("given", written, Window(_number(match[1]), _number(match[2]), function))
    if not re.search(r"[^\W\d_]", written) or len(written) > 64:
        raise WindowRefused(f"The window {written[:64]!r} is not understood. Allowed: {SPELLINGS}.")
    return WindowRequest("named", written)


def fold(text: str) -> str:
    """Names are compared without case, spaces and punctuation."""
    return re.sub(r"[\W_]", "", text.casefold())


def _range(lowest: float, highest: float) -> Window:
    if lowest >= highest:
        raise WindowRefused(f'A range "min..max" needs min below max, not {lowest:g}..{highest:g}.')
    return Window.between(lowest, highest)


def _number(written: str) -> float:
    return float("".join(written.split()))


_NUMBER = r"([+-]?\s?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)"
_RANGE = re.compile(rf"\s*{_NUMBER}\s*\.\.\s*{_NUMBER}\s*")
_PAIR = re.compile(
    rf"(?:c|l|wc|wl|center|centre|level)?\s*[:=]?\s*{_NUMBER}\s*[,/;\s]\s*(?:w|ww|width)?\s*[:=]?\s*{_NUMBER}"
    r"(?:\s*[,\s]\s*(linear|linear[-_ ]?exact|sigmoid))?",
    re.IGNORECASE,
)
