"""Active learning as rounds of result folders."""
