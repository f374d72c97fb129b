"""dicomweb-mcp: typed MCP tools over DICOMweb and folders of DICOM files."""

from importlib.metadata import version

__version__ = version("dicomweb-mcp")
