"""Readers of the files of DFT codes: steps that can be trusted become frames, the others are refused with their reason."""
