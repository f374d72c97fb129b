"""Optical paths that are channels (multiplex, fluorescence): grey values -> one picture, each channel in its colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...errors import BadArgument
from ..overlay.colours import Colour
from ..problems import WindowRefused

Ends: TypeAlias = tuple[float, float]
"""The values that are black and the full colour."""

PERCENTILES = (1, 99)


@dataclass(frozen=True)
class Channel:
    """``pixels``: (rows, columns) of stored values. Without ``window`` its ends are percentiles 1 and 99."""

    pixels: NDArray[Any]
    colour: Colour
    window: Ends | None = None


@dataclass(frozen=True)
class Composite:
    """``pixels``: grey for one channel, RGB for several. ``windows``: those used, one for each channel."""

    pixels: NDArray[np.uint8]
    windows: tuple[Ends, ...]


def compose(channels: Sequence[Channel]) -> Composite:
    """Light adds up: each channel gives its colour times its brightness, and what passes 255 is cut.

    Raises BadArgument (WindowRefused).
    """
    if len({channel.pixels.shape for channel in channels}) != 1:
        raise BadArgument("Channels that are shown together must be one or more, and show the same region.")
    windows = tuple(_ends(channel) for channel in channels)
    if len(channels) == 1:
        return Composite(_bytes(255 * _brightness(channels[0].pixels, windows[0])), windows)
    light = np.zeros((*channels[0].pixels.shape, 3), np.float32)
    for channel, window in zip(channels, windows, strict=True):
        brightness = _brightness(channel.pixels, window)
        for nth in np.flatnonzero(channel.colour):
            light[..., nth] += brightness * np.float32(channel.colour[nth])
    return Composite(_bytes(light), windows)


def _ends(channel: Channel) -> Ends:
    if channel.window:
        low, high = channel.window
        if not low < high:
            raise WindowRefused(f"A window from {low:g} to {high:g} has no width.")
        return low, high
    low, high = (float(value) for value in np.percentile(channel.pixels, PERCENTILES))
    return low, max(high, low + 1)


def _brightness(pixels: NDArray[Any], window: Ends) -> NDArray[np.float32]:
    low, high = window
    share: NDArray[np.float32] = (pixels.astype(np.float32) - np.float32(low)) / np.float32(high - low)
    return share.clip(0, 1, out=share)


def _bytes(light: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.floor(np.minimum(light, 255) + 0.5).astype(np.uint8)
