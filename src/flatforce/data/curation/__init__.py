"""Which frames of a large set are worth training on; each rule says what it took out and why."""
