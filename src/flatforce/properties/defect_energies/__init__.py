"""Formation and binding energies of defects, over the chemical potentials that the sheet allows."""
