"""Where work runs: here, or in Parsl pools on this machine, Slurm or PBS."""
