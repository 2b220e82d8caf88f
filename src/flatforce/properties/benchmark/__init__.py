"""How good a force field is on many materials at once."""
