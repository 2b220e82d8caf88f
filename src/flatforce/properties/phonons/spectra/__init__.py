"""Spectra of force constants: modes, densities of states, spectral functions, line shapes."""
