"""Training of force fields from one YAML, resumable to the epoch."""
