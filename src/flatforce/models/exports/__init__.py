"""Force fields in the formats of other programs."""
