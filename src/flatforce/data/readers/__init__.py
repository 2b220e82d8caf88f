"""Files of DFT codes as frames: what can be trusted is read, the rest refused with its reason."""
