"""Where work runs: on this machine, in Parsl pools, or in job arrays of Slurm and PBS."""
