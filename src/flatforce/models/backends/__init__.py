"""One module a backend, imported when asked for, strangers to one another."""
