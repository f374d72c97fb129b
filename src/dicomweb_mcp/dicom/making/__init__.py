"""Pictures and PDF documents with metadata -> DICOM instances (PS3.3 A.8, A.32.4, A.45.1)."""
