"""Checks of labels: sign and unit of the stress, symmetry of the forces, equal DFT settings."""
