"""Barriers of hops and reactions: paths of minimum energy, their saddle points, rates, and whether the force field knows them."""
