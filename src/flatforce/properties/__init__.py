"""What a force field says of a sheet: errors, relaxation, phonons, defects. One idea a module."""
