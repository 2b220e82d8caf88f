"""Active learning: which frames are worth a DFT calculation."""
