"""Force constants of sheets: full, sparse, embedded, and the rules they obey."""
