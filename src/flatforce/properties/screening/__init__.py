"""Relaxation and ranking of many unlabelled sheets."""
