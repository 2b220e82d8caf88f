"""A test kit for force fields: small sheets, laws they must obey, named tolerances."""
