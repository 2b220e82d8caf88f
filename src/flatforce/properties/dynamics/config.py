"""Settings of molecular dynamics; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config

if TYPE_CHECKING:
    from flatforce.properties.dynamics.integrator import Integrator


class StrainRamp(Config):
    """In-plane strain that grows evenly from zero during a trajectory."""

    xx: float = Field(0.0, gt=-0.5, lt=0.5)
    """Component xx of the strain at the end; 0.01 is one per cent."""
    yy: float = Field(0.0, gt=-0.5, lt=0.5)
    """Component yy of the strain at the end; 0.01 is one per cent."""
    xy: float = Field(0.0, gt=-0.5, lt=0.5)
    """Component xy of the strain at the end; 0.01 is one per cent."""


class MdConfig(Config):
    """Molecular dynamics of a sheet."""

    ensemble: Literal["nve", "nvt", "npt"] = "nvt"
    """Conserved quantities: `nve` keeps the energy, `nvt` the temperature, `npt` temperature and membrane tension; the vacuum never changes."""
    thermostat: Literal["langevin", "nose_hoover"] = "langevin"
    """Thermostat of `nvt` and `npt`: Langevin dynamics, or a Nosé–Hoover chain, which leaves vibrations undamped."""
    temperatures: list[PositiveFloat] = Field([300.0], min_length=1)
    """Temperatures in K; a trajectory is run at each."""
    end_temperature: PositiveFloat | None = None
    """Temperature in K to which every thermostat is ramped evenly; null keeps it."""
    replicas: PositiveInt = 1
    """Number of trajectories at each temperature, which differ in their random numbers."""
    seed: NonNegativeInt = 0
    """Seed of velocities and random forces."""
    supercell: tuple[PositiveInt, PositiveInt] = (1, 1)
    """Repetitions of the structure along the two in-plane lattice vectors."""
    time_step: PositiveFloat = 1.0
    """Time step of the integration in fs; hydrogen needs 0.25, sheets of heavy atoms allow 2."""
    equilibration: NonNegativeInt = 1000
    """Number of time steps before anything is recorded; always with the Langevin thermostat."""
    steps: PositiveInt = 10000
    """Number of time steps of each trajectory after the equilibration."""
    friction: PositiveFloat = 0.01
    """Friction coefficient of the Langevin thermostat in 1/fs."""
    thermostat_time: PositiveFloat = 100.0
    """Period of the Nosé–Hoover chain in fs."""
    tension: float = 0.0
    """Membrane tension of `npt` in N/m."""
    barostat_time: PositiveFloat = 200.0
    """Relaxation time of the area in fs, of `npt`."""
    strain: StrainRamp | None = None
    """Strain to which the sheet is stretched evenly, in `nve` and `nvt`; null keeps the cell."""
    sampling_interval: PositiveInt = 10
    """Number of time steps between two frames that are stored."""
    uncertainty_threshold: NonNegativeFloat | None = None
    """Standard deviation of a committee's force on an atom in eV/Å above which a trajectory stops; null never stops one. It needs
    a committee."""
    hop_distance: PositiveFloat | None = None
    """Distance in Å by which an atom must leave its site to count as a hop; 60 % of the shortest distance of like atoms if null."""
    near_atom: NonNegativeInt | None = None
    """Number of an atom in the supercell, from 0, such as one beside a vacancy, around which a local density of states is computed."""
    near_radius: PositiveFloat = 5.0
    """Radius in Å of that local density of states."""
    broadening: PositiveFloat = 0.1
    """Standard deviation in THz of the Gaussian that broadens the vibrational density of states."""

    @model_validator(mode="after")
    def _check_ensemble(self) -> MdConfig:
        labels = [f"{temperature:g}" for temperature in self.temperatures]
        if len(set(labels)) < len(labels):
            raise ValueError(
                "`temperatures` holds one of them twice: set `replicas` for several trajectories"
            )
        if self.strain is not None and self.ensemble == "npt":
            raise ValueError("`strain` fixes the cell, which `ensemble: npt` leaves free: choose one of them")
        if self.end_temperature is not None and self.ensemble == "nve":
            raise ValueError("`end_temperature` needs a thermostat: set ensemble: nvt or npt")
        return self

    def integrator(self, *, equilibrating: bool = False) -> Integrator:
        """Return how a sheet moves.

        Parameters
        ----------
        equilibrating
            Whether it is brought to its temperature first, with the Langevin thermostat.

        Returns
        -------
        The integrator with the time step, thermostat and barostat of the ensemble.
        """
        from flatforce.properties.dynamics.integrator import Integrator

        thermostat = self.thermostat if self.ensemble != "nve" else "none"
        return Integrator(
            time_step=self.time_step,
            thermostat="langevin" if equilibrating else thermostat,
            friction=self.friction,
            thermostat_time=self.thermostat_time,
            tension=self.tension if self.ensemble == "npt" else None,
            barostat_time=self.barostat_time,
        )
