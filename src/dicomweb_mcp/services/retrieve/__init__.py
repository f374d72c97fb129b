"""Retrieving: whole DICOM files, stored frames or one value of an archive into a folder below a file root."""

from .folder import why_refused
from .items import Item, Outcome, Retrieval
from .retrieval import Wanted, retrieve

__all__ = ["Item", "Outcome", "Retrieval", "Wanted", "retrieve", "why_refused"]
