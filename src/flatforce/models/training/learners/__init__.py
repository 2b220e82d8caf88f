"""Kinds of models that can be trained, strangers to one another."""
