"""Sheets: prototypes, vacuum, strain, supercells, defects, symmetry."""
