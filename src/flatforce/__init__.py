"""From DFT frames of a 2D material to a force field, and from it to the physics of its defects."""

__version__ = "0.1.0"
