"""Elastic constants and bending rigidity of sheets."""
