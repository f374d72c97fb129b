"""Where DICOM lives: one protocol, two implementations, and a row of data per kind of server."""
