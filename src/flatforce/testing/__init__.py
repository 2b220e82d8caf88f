"""Test kit for force fields: small sheets, exact laws, named tolerances."""
