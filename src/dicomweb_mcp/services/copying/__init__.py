"""Copying from one archive into another."""

from .checks import Wanted
from .copying import copy

__all__ = ["Wanted", "copy"]
