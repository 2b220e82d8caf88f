"""Force fields in isolated environments, evaluated by worker processes."""
