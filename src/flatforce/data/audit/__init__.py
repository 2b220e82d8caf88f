"""Whether labels mean what they are taken for."""
