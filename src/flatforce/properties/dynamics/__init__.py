"""Molecular dynamics of sheets, and what is read from its trajectories."""
