"""Segments and regions of a derived series, drawn on images by patient coordinates, never by index."""

from .base import Misplaced, Target
from .series import NEEDS_OVERLAY, OnImage, Overlay, open_overlay

__all__ = ["NEEDS_OVERLAY", "Misplaced", "OnImage", "Overlay", "Target", "open_overlay"]
