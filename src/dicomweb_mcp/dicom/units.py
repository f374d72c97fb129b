"""Units in which PS3.3 defines the values of attributes."""

_KEYWORDS = {
    "mm": """
        SliceThickness SpacingBetweenSlices SliceLocation PixelSpacing ImagerPixelSpacing
        NominalScannedPixelSpacing ImagePositionPatient ImagePositionVolume ReconstructionDiameter
        DataCollectionDiameter ReconstructionFieldOfView ReconstructionTargetCenterPatient
        DistanceSourceToDetector DistanceSourceToPatient DistanceSourceToIsocenter TableHeight
        FieldOfViewDimensions FocalSpots IntensifierSize BodyPartThickness SingleCollimationWidth
        TotalCollimationWidth TableFeedPerRotation SpatialResolution DetectorElementSpacing
        DetectorElementPhysicalSize DetectorActiveDimensions ObjectPixelSpacingInCenterOfBeam GridFocalDistance
        HalfValueLayer RadialPosition IsocenterPosition SourceAxisDistance RTImageSID RadiationMachineSAD
        RadiationMachineSSD ImagePlanePixelSpacing RTImagePosition GridFrameOffsetVector ContourData
        TableTopVerticalPosition TableTopLongitudinalPosition TableTopLateralPosition ImagedVolumeWidth
        ImagedVolumeHeight XOffsetInSlideCoordinateSystem YOffsetInSlideCoordinateSystem
    """,
    "µm": "ImagedVolumeDepth ZOffsetInSlideCoordinateSystem",
    "m": "PatientSize",
    "kg": "PatientWeight",
    "kV": "KVP",
    "mA": "XRayTubeCurrent XRayTubeCurrentInmA",
    "µA": "XRayTubeCurrentInuA",
    "mAs": "Exposure ExposureInmAs",
    "µAs": "ExposureInuAs",
    "µs": "ExposureTimeInuS",
    "ms": """
        ExposureTime ExposureTimeInms RepetitionTime EchoTime EffectiveEchoTime InversionTime InversionTimes
        TriggerTime FrameTime FrameTimeVector FrameDelay FrameReferenceTime ActualFrameDuration
        FrameAcquisitionDuration HighRRValue LowRRValue RRIntervalTimeNominal TemporalResolution
    """,
    "s": """
        RevolutionTime RadionuclideHalfLife AcquisitionDuration EffectiveDuration ContrastFlowDuration
    """,
    "kW": "GeneratorPower",
    "keV": "EnergyWindowLowerLimit EnergyWindowUpperLimit",
    "T": "MagneticFieldStrength",
    "T/s": "dBdt",
    "µT": "B1rms",
    "MHz": "ImagingFrequency TransmitterFrequency",
    "Hz per pixel": "PixelBandwidth",
    "W/kg": "SAR",
    "s/mm²": "DiffusionBValue",
    "cm/s": "VelocityEncodingMinimumValue VelocityEncodingMaximumValue",
    "degrees": """
        FlipAngle GantryDetectorTilt PositionerPrimaryAngle PositionerSecondaryAngle DetectorPrimaryAngle
        DetectorSecondaryAngle ScanArc AngularStep StartAngle GantryAngle BeamLimitingDeviceAngle
        PatientSupportAngle
    """,
    "mGy": "CTDIvol EntranceDoseInmGy",
    "dGy": "EntranceDose OrganDose",
    "dGy·cm²": "ImageAndFluoroscopyAreaDoseProduct",
    "Gy": "TargetPrescriptionDose BeamDose",
    "N": "CompressionForce",
    "mm/s": "TableSpeed",
    "ml": "ContrastBolusVolume ContrastBolusTotalDose",
    "ml/s": "ContrastFlowRate",
    "mg/ml": "ContrastBolusIngredientConcentration",
    "per minute": "HeartRate",
    "per second": "CineRate RecommendedDisplayFrameRate",
    "%": "PercentSampling PercentPhaseFieldOfView NominalPercentageOfCardiacPhase",
}
UNITS = {keyword: unit for unit, keywords in _KEYWORDS.items() for keyword in keywords.split()}
# What RescaleType (C.11.1.1.2), Units of PET (C.8.9.1.1.3) and DoseUnits say of rescaled pixels -> the unit, empty
# where there is none; and what is given in it
OF_PIXELS = {
    "HU": "HU",
    "MGML": "mg/ml",
    "PCT": "%",
    "CNTS": "counts",
    "NONE": "",
    "CM2": "cm²",
    "CM2ML": "cm²/ml",
    "PCNT": "%",
    "CPS": "counts/s",
    "BQML": "Bq/ml",
    "MGMINML": "mg/min/ml",
    "UMOLMINML": "µmol/min/ml",
    "MLMING": "ml/min/g",
    "MLG": "ml/g",
    "1CM": "1/cm",
    "UMOLML": "µmol/ml",
    "PROPCNTS": "proportional to counts",
    "PROPCPS": "proportional to counts/s",
    "MLMINML": "ml/min/ml",
    "MLML": "ml/ml",
    "GML": "g/ml",
    "STDDEV": "standard deviations",
    "GY": "Gy",
}
IN_PIXEL_UNITS = frozenset({"RescaleIntercept", "WindowCenter", "WindowWidth"})


def unit_of(keyword: str, of_pixels: str = "") -> str:
    """The unit of an attribute's values; empty where they have none, or none that can be told."""
    return of_pixels if keyword in IN_PIXEL_UNITS else UNITS.get(keyword, "")
