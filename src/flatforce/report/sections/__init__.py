"""Sections of the page, one for each kind of result."""
