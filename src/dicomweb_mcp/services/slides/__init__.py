"""Whole slides: what the pyramid of a series is, and regions of it as pictures."""

from .overview import DescribedSlide, describe_slide
from .region import RegionRequest, show_region

__all__ = ["DescribedSlide", "RegionRequest", "describe_slide", "show_region"]
