"""Thermal expansion of a sheet in the quasi-harmonic approximation."""
