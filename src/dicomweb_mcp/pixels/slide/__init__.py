"""Regions of whole slide images: tiles to an array, channels to colours, both to a picture, and where tissue is."""
