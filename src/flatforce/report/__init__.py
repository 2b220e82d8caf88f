"""Figures and the HTML page, made from result folders; no physics is computed here."""
