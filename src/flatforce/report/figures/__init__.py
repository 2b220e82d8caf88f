"""Figures of the page, each made by a function from stored arrays to curves."""
