"""Which attributes matter most to someone who asks what a series is: read first, and left out of an answer last."""

USUAL = (
    # what it is
    "Modality", "SOPClassUID", "SeriesDescription", "SeriesNumber", "StudyDescription", "StudyDate", "StudyTime",
    "SeriesDate", "SeriesTime", "ProtocolName", "BodyPartExamined", "Laterality", "ImageLaterality", "ViewPosition",
    "ImageType", "PatientID", "PatientName", "PatientSex", "PatientAge", "PatientBirthDate", "AccessionNumber",
    # how it was made
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "StationName", "InstitutionName",
    "AcquisitionDate", "AcquisitionTime", "AcquisitionNumber", "AcquisitionDateTime", "ContentDate", "ContentTime",
    "InstanceNumber", "ContrastBolusAgent", "PatientPosition", "PatientWeight", "PatientSize",
    "KVP", "XRayTubeCurrent", "Exposure", "ExposureTime", "ConvolutionKernel", "SliceThickness",
    "SpacingBetweenSlices", "SpiralPitchFactor", "ReconstructionDiameter", "DataCollectionDiameter",
    "GantryDetectorTilt", "CTDIvol", "FilterType", "ScanOptions",
    "MagneticFieldStrength", "ScanningSequence", "SequenceVariant", "SequenceName", "MRAcquisitionType",
    "RepetitionTime", "EchoTime", "InversionTime", "FlipAngle", "EchoTrainLength", "EchoNumbers", "NumberOfAverages",
    "DiffusionBValue", "TemporalPositionIdentifier", "TriggerTime", "PixelBandwidth", "ImagingFrequency",
    "InPlanePhaseEncodingDirection",
    "Units", "DecayCorrection", "CorrectedImage", "AttenuationCorrectionMethod", "ReconstructionMethod",
    "ActualFrameDuration", "FrameReferenceTime", "SeriesType",
    "PresentationIntentType", "CompressionForce", "BodyPartThickness", "BreastImplantPresent", "AnodeTargetMaterial",
    "FrameTime", "HeartRate", "PositionerPrimaryAngle", "PositionerSecondaryAngle",
    # how it lies in the patient
    "ImagePositionPatient", "ImageOrientationPatient", "SliceLocation", "PixelSpacing", "ImagerPixelSpacing",
    "FrameOfReferenceUID", "PositionReferenceIndicator",
    # its pixels
    "NumberOfFrames", "Rows", "Columns", "PhotometricInterpretation", "SamplesPerPixel", "BitsAllocated",
    "BitsStored", "PixelRepresentation", "RescaleSlope", "RescaleIntercept", "RescaleType", "WindowCenter",
    "WindowWidth", "WindowCenterWidthExplanation", "VOILUTFunction", "PixelPaddingValue", "LossyImageCompression",
    "LossyImageCompressionRatio", "BurnedInAnnotation", "TransferSyntaxUID", "AvailableTransferSyntaxUID",
    "TotalPixelMatrixColumns", "TotalPixelMatrixRows", "ImageComments", "DerivationDescription", "ContentLabel",
    "ContentDescription",
)  # fmt: skip
"""Keywords, the most important first."""

RANK = {keyword: rank for rank, keyword in enumerate(USUAL)}
