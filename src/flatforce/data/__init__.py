"""Frames with labels: reading, checking, splitting, and the dataset that ships with the package."""
