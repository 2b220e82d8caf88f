"""Figures of the page, each a function from stored arrays to curves."""
