"""Phonons of sheets, pristine and with defects."""
