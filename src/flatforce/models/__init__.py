"""Force fields: one protocol, specs that name them, training, committees."""

from flatforce.models.potential import Potential, Prediction
from flatforce.models.spec import load

__all__ = ["Potential", "Prediction", "load"]
