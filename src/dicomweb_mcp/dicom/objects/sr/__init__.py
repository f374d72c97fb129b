"""Structured reports: their content tree, and what of it becomes rows."""
