"""DFT labels: each is cached as soon as it is computed, whatever happens to the run."""
