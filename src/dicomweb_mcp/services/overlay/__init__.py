"""Segments and regions of a derived series, drawn on images by patient coordinates, never by index."""

from .base import Misplaced, Target
from .series import Overlay, open_overlay

__all__ = ["Misplaced", "Overlay", "Target", "open_overlay"]
