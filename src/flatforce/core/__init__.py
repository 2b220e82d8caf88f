"""Errors, units, configuration, result folders and progress: what every floor stands on."""
