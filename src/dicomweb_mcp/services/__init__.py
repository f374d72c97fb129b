"""Work that needs archives, the standard and pixels together, and no MCP."""
