"""Whole slides (PS3.3 A.32.8): from the metadata of a series to levels, tiles and boxes.

``read_instance`` reads each instance while it arrives, ``slide_of`` makes a slide of them, ``table`` shows it;
``region`` decides what a request for a box means, and ``tiles_of`` names the frames that cover it.
"""

from .box import MOST_TILES, Region, region
from .describe import SlideTable, table
from .instance import Instance, read_instance
from .levels import FocalPlane, Level
from .model import Slide, SlideImage, slide_of
from .optics import OpticalPath
from .request import BoxRequest, check_box
from .tiles import Box, Tile, Unplaced, tile_count, tiles_of

__all__ = [
    "MOST_TILES",
    "Box",
    "BoxRequest",
    "FocalPlane",
    "Instance",
    "Level",
    "OpticalPath",
    "Region",
    "Slide",
    "SlideImage",
    "SlideTable",
    "Tile",
    "Unplaced",
    "check_box",
    "read_instance",
    "region",
    "slide_of",
    "table",
    "tile_count",
    "tiles_of",
]
