"""DICOM files (PS3.10): headers, data sets whose pixels stay in the file, and whether a file is whole."""
