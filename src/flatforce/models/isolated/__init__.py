"""Force fields whose packages cannot be installed together, each in an environment of its own."""
