"""Alloys: orderings, energies, cluster expansion, comparison, thermodynamics."""
