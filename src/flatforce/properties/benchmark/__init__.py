"""Benchmarks of a force field on many materials."""
