"""Frames -> pictures: decode, colour, window, encode. Arrays and bytes in and out; no I/O, no MCP."""
