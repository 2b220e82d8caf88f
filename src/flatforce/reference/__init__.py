"""DFT labels: one result cached per frame, whatever happens to the run."""
