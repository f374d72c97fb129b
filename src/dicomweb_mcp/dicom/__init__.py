"""The standard as pure functions: tags, values, rules, queries, geometry. No input or output, no MCP."""
