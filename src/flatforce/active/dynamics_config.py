"""Settings of the molecular dynamics that proposes frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config

if TYPE_CHECKING:
    from flatforce.properties.dynamics.integrator import Integrator


class DynamicsConfig(Config):
    """Molecular dynamics that proposes frames."""

    temperatures: list[PositiveFloat] = Field([300.0], min_length=1)
    """Temperatures in K; one trajectory of each sheet is run at each temperature."""
    time_step: PositiveFloat = 2.0
    """Time step of the integration in fs; light atoms need a shorter one."""
    steps: PositiveInt = 500
    """Number of time steps of each trajectory."""
    friction: PositiveFloat = 0.01
    """Friction coefficient of the Langevin thermostat in 1/fs."""
    tension: float | None = None
    """Membrane tension in N/m at which the area fluctuates; null keeps the cell fixed."""
    barostat_time: PositiveFloat = 200.0
    """Relaxation time in fs of the area under the barostat; it has no effect at fixed cell."""
    sampling_interval: PositiveInt = 20
    """Number of time steps between two frames that are proposed."""
    uncertainty_threshold: NonNegativeFloat | None = None
    """Largest 90 % interval of an atom's force in eV/Å at which a trajectory continues. A trajectory stops at the first
    frame above it and that frame is proposed; null never stops a trajectory."""
    on_the_fly: bool = False
    """Whether to learn on the fly: a trajectory that stopped at `uncertainty_threshold` continues from that frame in the
    next round, with the force field that was trained on it, until all its steps are done; no other frame is proposed."""

    @model_validator(mode="after")
    def _check_threshold(self) -> DynamicsConfig:
        if self.on_the_fly and self.uncertainty_threshold is None:
            raise ValueError(
                "on_the_fly needs uncertainty_threshold, the force uncertainty (eV/Å) at which DFT is called"
            )
        return self

    def integrator(self) -> Integrator:
        """Return how a sheet moves: Langevin dynamics at constant area or tension."""
        from flatforce.properties.dynamics.integrator import Integrator

        return Integrator(
            time_step=self.time_step,
            friction=self.friction,
            tension=self.tension,
            barostat_time=self.barostat_time,
        )
