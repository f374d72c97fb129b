"""A plain folder of DICOM files as an archive: the embedded default, with no server at all."""

from .archive import FolderArchive

__all__ = ["FolderArchive"]
