"""Phonons of point defects, from one supercell to the dilute limit."""
