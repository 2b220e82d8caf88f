"""Finished result folders as objects, one module for each family of kinds."""
