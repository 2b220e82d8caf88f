"""Errors, units, configuration, result folders and progress, which all other packages use."""
