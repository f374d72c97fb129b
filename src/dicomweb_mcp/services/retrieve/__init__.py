"""Retrieving: whole DICOM files, stored frames or one value of an archive into a folder below a file root."""

from .items import Item, Outcome, Retrieval
from .retrieval import Wanted, retrieve

__all__ = ["Item", "Outcome", "Retrieval", "Wanted", "retrieve"]
