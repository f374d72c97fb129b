"""What objects other than images say: a describer for each kind, from its metadata (DICOM JSON) alone."""
