"""Curation of datasets: outliers, redundant relaxation steps, near-duplicates, farthest-point sampling."""
