"""Alloys: formation energies, cluster expansions, and their comparison with force fields."""
