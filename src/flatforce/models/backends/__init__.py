"""Backends, one module each, imported when a force field of their kind is loaded."""
