"""Export of force fields and force constants to other programs, with a comparison in the program itself."""
