"""Which attributes of an acquisition are told, in which order and unit: a table for each kind of image."""

from .reading import Part, Phrase

POSITIONS = {
    "HFS": "head first, supine",
    "HFP": "head first, prone",
    "HFDR": "head first, on the right side",
    "HFDL": "head first, on the left side",
    "FFS": "feet first, supine",
    "FFP": "feet first, prone",
    "FFDR": "feet first, on the right side",
    "FFDL": "feet first, on the left side",
}
SIDES = {"L": "left", "R": "right", "B": "both sides", "U": "unpaired"}
RECONSTRUCTIONS = {
    "FILTER_BACK_PROJ": "filtered back projection",
    "ITERATIVE": "iterative reconstruction",
    "DEEP_LEARNING": "deep learning reconstruction",
}
PRESENTATION = {"FOR PROCESSING": "for processing, not for presentation", "FOR PRESENTATION": "for presentation"}
PHASE = {"ROW": "phase encoding along the rows", "COL": "phase encoding along the columns",
         "COLUMN": "phase encoding along the columns", "OTHER": ""}  # fmt: skip
NOTHING = {"NONE": "", "NO": "", "N": ""}

DEVICE: tuple[Phrase, ...] = (
    (Part("Manufacturer"), Part("ManufacturerModelName")),
    (Part("BodyPartExamined", label="body part"), Part("ProtocolName", label="protocol")),
)
POSITION: Phrase = (Part("PatientPosition", words=POSITIONS),)
CONTRAST: Phrase = (
    (Part("ContrastBolusAgent", label="contrast agent"), Part("ContrastBolusAgentSequence", label="contrast agent")),
    (Part("ContrastBolusRoute"), Part("ContrastBolusAdministrationRouteSequence", in_groups=True)),
    Part("ContrastBolusVolume", "ml"),
)
TUBE: Phrase = (
    Part("KVP", "kV", "tube voltage", plain_label=False),
    (
        Part("XRayTubeCurrent", "mA", "tube current", plain_label=False),
        Part("XRayTubeCurrentInmA", "mA", "tube current", plain_label=False, in_groups=True),
        Part("XRayTubeCurrentInuA", "uA", "tube current", plain_label=False),
    ),
    (
        Part("ExposureTime", "ms", "exposure time"),
        Part("ExposureTimeInms", "ms", "exposure time", in_groups=True),
        Part("ExposureTimeInuS", "us", "exposure time"),
    ),
    (
        Part("Exposure", "mAs", "exposure", plain_label=False),
        Part("ExposureInmAs", "mAs", "exposure", plain_label=False, in_groups=True),
        Part("ExposureInuAs", "uAs", "exposure", plain_label=False),
    ),
)

CT: tuple[Phrase, ...] = (
    TUBE,
    (
        Part("ConvolutionKernel", label="kernel"),
        Part("ReconstructionAlgorithm", words=RECONSTRUCTIONS, in_groups=True),
        Part("IterativeReconstructionMethod"),
        Part("FilterType", label="filter", words=NOTHING),
    ),
    (
        Part("SliceThickness", "mm", "slice thickness"),
        Part("SpiralPitchFactor", label="pitch"),
        Part("RevolutionTime", "s", "rotation"),
        Part("TotalCollimationWidth", "mm", "collimation"),
        Part("ReconstructionDiameter", "mm", "reconstruction diameter"),
    ),
    (
        Part("AcquisitionType", label="acquisition", in_groups=True),
        Part("ScanOptions", label="scan options", words=NOTHING),
        Part("ExposureModulationType", label="exposure modulation", words=NOTHING),
        Part("MultienergyCTAcquisition", label="multi-energy", words=NOTHING),
    ),
    (Part("CTDIvol", "mGy", "CTDIvol"),),
)

MR_TIMES: Phrase = (
    Part("RepetitionTime", "ms", "TR"),
    (Part("EffectiveEchoTime", "ms", "TE", in_groups=True), Part("EchoTime", "ms", "TE")),
    (Part("InversionTime", "ms", "TI"), Part("InversionTimes", "ms", "TI", in_groups=True)),
    Part("FlipAngle", "degrees", "flip angle"),
    (
        Part("EchoTrainLength", label="echo train length"),
        Part("RFEchoTrainLength", label="echo train length", in_groups=True),
    ),
    Part("NumberOfAverages", label="averages"),
)
MR_READOUT: Phrase = (
    (Part("PixelBandwidth", "Hz per pixel", "bandwidth"),),
    Part("InPlanePhaseEncodingDirection", words=PHASE),
    Part("PercentSampling", "%", "sampling"),
    Part("PercentPhaseFieldOfView", "%", "phase field of view"),
    Part("ParallelReductionFactorInPlane", label="parallel imaging factor", in_groups=True),
)
MR_SLICES: Phrase = (
    Part("SliceThickness", "mm", "slice thickness"),
    Part("SpacingBetweenSlices", "mm", "spacing between slices"),
    Part("ReceiveCoilName", label="receive coil"),
    Part("ScanOptions", label="scan options", words=NOTHING),
)

PET: tuple[Phrase, ...] = (
    (
        (
            Part("AttenuationCorrectionMethod", label="attenuation correction", words=NOTHING),
            Part("AttenuationCorrected", label="attenuation corrected"),
        ),
        Part("ScatterCorrectionMethod", label="scatter correction", words=NOTHING),
        Part("RandomsCorrectionMethod", label="randoms correction", words={"NONE": "", "DLYD": "delayed events",
             "SING": "singles estimation", "PROC": "processed singles"}),
    ),
    (
        Part("ReconstructionMethod", label="reconstruction"),
        Part("ConvolutionKernel", label="kernel"),
        Part("SliceThickness", "mm", "slice thickness"),
    ),
    (
        (
            Part("ActualFrameDuration", "ms", "frame duration"),
            Part("FrameAcquisitionDuration", "ms", "frame duration", in_groups=True),
        ),
        Part("NumberOfTimeSlices", label="time slices"),
        Part("SeriesType", label="series type"),
    ),
)  # fmt: skip

PROJECTION: tuple[Phrase, ...] = (
    (
        (Part("ImageLaterality", words=SIDES), Part("Laterality", words=SIDES), Part("FrameLaterality", words=SIDES,
         in_groups=True)),
    ),
    TUBE,
    (
        Part("AnodeTargetMaterial", label="anode"),
        Part("FilterMaterial", label="filter", words=NOTHING),
        Part("CompressionForce", "N", "compression"),
        Part("BodyPartThickness", "mm", "body part thickness"),
    ),
    (
        Part("EntranceDoseInmGy", "mGy", "entrance dose"),
        Part("OrganDose", "dGy", "organ dose"),
        Part("ExposureIndex", label="exposure index"),
        Part("DeviationIndex", label="deviation index", signed=True),
        Part("Sensitivity", label="sensitivity"),
    ),
    (
        Part("ImagerPixelSpacing", "mm", "pixels at the detector"),
        Part("EstimatedRadiographicMagnificationFactor", label="magnification"),
        Part("DistanceSourceToDetector", "mm", "source to detector"),
        Part("Grid", label="grid", words=NOTHING),
    ),
    (Part("PresentationIntentType", words=PRESENTATION), Part("PartialViewDescription", label="partial view")),
)  # fmt: skip

ANGIOGRAPHY: tuple[Phrase, ...] = (
    TUBE,
    (
        Part("RadiationSetting", words={"SC": "fluoroscopy", "GR": "acquisition at a diagnostic dose"}),
        Part("CineRate", "frames/s", "cine rate"),
        Part("FrameTime", "ms", "frame time"),
        Part("NumberOfFrames", label="frames"),
    ),
    (
        Part("DistanceSourceToDetector", "mm", "source to detector"),
        Part("DistanceSourceToPatient", "mm", "source to patient"),
        Part("ImagerPixelSpacing", "mm", "pixels at the detector"),
    ),
)

ULTRASOUND: tuple[Phrase, ...] = (
    (Part("TransducerType", label="transducer"), Part("TransducerData", label="transducer data")),
    (
        Part("FrameTime", "ms", "frame time"),
        Part("CineRate", "frames/s", "cine rate"),
        Part("NumberOfFrames", label="frames"),
        Part("HeartRate", "per minute", "heart rate"),
    ),
    (
        Part("DepthOfScanField", "mm", "depth"),
        Part("MechanicalIndex", label="mechanical index"),
        Part("BoneThermalIndex", label="thermal index (bone)"),
        Part("SoftTissueThermalIndex", label="thermal index (soft tissue)"),
    ),
)

NUCLEAR: tuple[Phrase, ...] = (
    (
        Part("NumberOfDetectors", label="detectors"),
        Part("CountsAccumulated", label="counts"),
        Part("ActualFrameDuration", "ms", "frame duration"),
        Part("NumberOfFrames", label="frames"),
    ),
    (Part("CorrectedImage", label="corrected"), Part("SliceThickness", "mm", "slice thickness")),
)

SLIDE: tuple[Phrase, ...] = (
    (
        Part("FocusMethod", label="focus"),
        Part("TotalPixelMatrixFocalPlanes", label="focal planes"),
        Part("ImagedVolumeWidth", "mm", "imaged width"),
        Part("ImagedVolumeHeight", "mm", "imaged height"),
    ),
)

WARNINGS: tuple[Phrase, ...] = (
    (Part("ImageType", label="image type"),),
    (Part("DerivationDescription", label="derived:"),),
    (
        Part("LossyImageCompression", words={"00": "", "01": "lossy compressed"}),
        Part("LossyImageCompressionRatio", label="ratio"),
        Part("LossyImageCompressionMethod"),
    ),
)
