"""Settings of the computations of alloys; importing them costs no more than pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from flatforce.core.config import Config
from flatforce.models.training.architectures import Architecture, MaceArchitecture
from flatforce.models.training.config import Weights

RelaxationMode = Literal["cell", "positions", "none"]
"""What relaxes: the in-plane cell and the positions, the positions in the cell of the lattice, or nothing."""

RegressionMethod = Literal["ridge", "ardr", "rfe", "lasso", "bayesian-ridge", "least-squares"]


class AlloyEnergyConfig(Config):
    """How the formation energies of orderings are computed."""

    relax: RelaxationMode = "cell"
    """What relaxes in mixed orderings. End members always relax in their own cells."""
    max_force: PositiveFloat = 0.01
    """Convergence criterion of relaxations by a force field: the largest force on any atom, in eV/Å."""
    max_stress: PositiveFloat = 0.05
    """Convergence criterion of relaxations by a force field: the largest component of the membrane stress, in N/m."""
    dft_force: PositiveFloat | None = None
    """Largest force on any atom of a sheet relaxed by DFT, whose steps cost more, in eV/Å; `max_force` if left out."""
    dft_stress: PositiveFloat | None = None
    """Largest component of the membrane stress of a sheet relaxed by DFT, in N/m; `max_stress` if left out."""
    max_steps: PositiveInt = 500
    """Largest number of steps of a relaxation by a force field."""
    max_labels: PositiveInt = 20
    """Largest number of DFT labels that the relaxation of one ordering may use."""
    max_distance: PositiveFloat = 0.3
    """Largest distance of an atom from its lattice site, in Å. An ordering beyond it has left the lattice and is dropped:
    in relaxed MX2 alloys of one prototype atoms stay within 0.1 Å, a change of prototype moves them by more than 1 Å."""
    max_mismatch: PositiveFloat = 0.005
    """Largest relative difference of the end members' lattice constants where mixed orderings keep the parent's cell."""


class ClusterExpansionConfig(Config):
    """Which cluster expansions are tried; cross-validation on the training rows alone selects one."""

    cutoffs: list[list[PositiveFloat]] = []
    """Candidates, each a list of the longest pair, triplet, … in Å; shells of the sublattice if empty."""
    methods: list[RegressionMethod] = Field(["ridge", "ardr", "rfe"], min_length=1)
    """Regression methods; `least-squares` is the structure-inversion method of Connolly and Williams (1983)."""
    folds: int = Field(5, ge=2)
    """Number of folds of the inner cross-validation."""
    pin_end_members: bool = True
    """Whether the end members have exactly zero formation energy."""
    max_parameter_ratio: float = Field(0.8, gt=0.0, le=1.0)
    """Largest number of parameters per training row; candidates with more are not tried."""
    seed: int = 0
    """Seed by which training rows are dealt to the folds of the inner cross-validation."""


class AlloySplitConfig(Config):
    """Which splits are made. End members are always in the training set and never in the test set."""

    folds: int = Field(5, ge=2)
    """Number of folds of the cross-validation by which the models are compared."""
    repeats: PositiveInt = 3
    """Number of times that the cross-validation is repeated with newly shuffled folds."""
    window: tuple[float, float] | None = (0.4, 0.6)
    """Range of concentrations of the last species whose orderings are held out together; null for none."""
    train_sizes: list[PositiveInt] = []
    """Numbers of training orderings of the learning curve; a few sizes are selected if empty."""
    samples: PositiveInt = 5
    """Number of random training sets for each size of the learning curve."""
    seed: int = 0
    """Seed of all random splits of the table."""


class FineTuningConfig(Config):
    """A force field that is fine-tuned on the frames of the training orderings."""

    start_from: str
    """The force field that training starts from."""
    learning_rates: list[PositiveFloat] = Field([3e-4], min_length=1)
    """Candidate learning rates; validation orderings, taken from the training ones, select one."""
    epochs: list[PositiveInt] = Field([40], min_length=1)
    """Candidate numbers of epochs; validation orderings select one."""
    batch_size: PositiveInt = 2
    """Number of frames in one step of the optimiser."""
    weights: Weights = Weights(energy=1e5, forces=100.0, stress=10.0)
    """Weights of the loss. Formation energies are a few meV per atom: 0.5 meV/atom weigh as much as 15 meV/Å."""


class EnergyOnlyConfig(Config):
    """A model trained on formation energies of relaxed sheets alone, from random weights."""

    model: Architecture = MaceArchitecture(hidden_irreps="16x0e + 16x1o", r_max=5.0)
    """Architecture of the model, with the keys of `model` in `flatforce settings train`."""
    learning_rates: list[PositiveFloat] = Field([5e-3], min_length=1)
    """Candidate learning rates; validation orderings select one."""
    epochs: list[PositiveInt] = Field([200], min_length=1)
    """Candidate numbers of epochs; validation orderings select one."""
    batch_size: PositiveInt = 4
    """Number of frames in one step of the optimiser."""
    n_models: PositiveInt = 3
    """Number of committee members with different seeds; their mean is the prediction, since one member depends on its
    seed by as much as models differ."""


class RoostConfig(Config):
    """How Roost is trained."""

    epochs: PositiveInt = 200
    """Number of epochs in which each member is trained."""
    members: PositiveInt = 1
    """Number of members of the ensemble, whose mean is the prediction."""


class ModelComparisonConfig(Config):
    """Which models are compared besides those that need no force field."""

    force_fields: dict[str, str] = {}
    """Label → force field: uncalibrated, linearly recalibrated, and as the baseline of a cluster expansion."""
    fine_tuned: dict[str, FineTuningConfig] = {}
    """Label → force field that is fine-tuned on the frames of the training orderings; needs `--frames`."""
    energy_only: EnergyOnlyConfig | None = None
    """Energy-only training, on sheets relaxed by DFT and on sheets relaxed by each of the force fields."""
    roost: RoostConfig | None = RoostConfig()
    """Roost, where its environment is installed (`flatforce env create roost`)."""
    degree: list[NonNegativeInt] = [0, 2]
    """Degrees of the Redlich–Kister polynomials: the highest power of x_i − x_j; 0 is the regular solution."""


class HullConfig(Config):
    """Which orderings are searched for ground states."""

    max_cells: PositiveInt = 8
    """Number of primitive cells of the largest ordering."""
    samples: PositiveInt = 100
    """Number of cluster expansions fitted to bootstrap samples of the table; they give the probabilities."""
    seed: int = 0
    """Seed by which rows of the table are drawn into the bootstrap samples."""


class MonteCarloConfig(Config):
    """Which ensemble, temperatures and cells are sampled by Monte Carlo."""

    ensemble: Literal["canonical", "semi-grand"] = "canonical"
    """Whether the composition is fixed, or follows a difference of chemical potentials."""
    concentration: float | None = Field(None, gt=0.0, lt=1.0)
    """Concentration of the last species of a binary in the canonical ensemble, between 0 and 1."""
    chemical_potential: float = 0.0
    """Chemical potential of the last species of a binary minus that of the first in the semi-grand ensemble, in eV."""
    temperatures: list[PositiveFloat] = Field(min_length=1)
    """Temperatures in K at which the ensemble is sampled."""
    sizes: list[PositiveInt] = Field([12, 24], min_length=1)
    """Sizes n of the cells of n × n primitive cells; the two largest give the transition temperature."""
    sweeps: PositiveInt = 2000
    """Number of trial steps per site that are averaged over."""
    equilibration: PositiveInt = 500
    """Number of trial steps per site before averaging begins."""
    n_runs: PositiveInt = 4
    """Number of independent runs at each temperature and size; their scatter gives the error bar."""
    wave_vector: Literal["gamma", "K", "M"] = "K"
    """Wave vector of the order parameter: segregation, √3 × √3 order, or stripes."""
    shells: PositiveInt = 3
    """Number of neighbour shells with a Warren–Cowley parameter."""
    seed: int = 0
    """Seed of the first run; the others follow it."""
    workers: PositiveInt = 1
    """Number of processes that run samples at the same time."""

    @model_validator(mode="after")
    def _check(self) -> MonteCarloConfig:
        if self.ensemble == "canonical" and self.concentration is None:
            raise ValueError("the canonical ensemble needs a concentration")
        if self.ensemble == "canonical" and self.wave_vector == "gamma":
            raise ValueError(
                "the order parameter of wave_vector: gamma is the composition, which the canonical ensemble keeps: use "
                "ensemble: semi-grand"
            )
        for name, values in (("temperatures", self.temperatures), ("sizes", self.sizes)):
            if len(set(values)) < len(values):
                raise ValueError(f"{name} holds the same value twice")
        step = {"gamma": 1, "K": 3, "M": 2}[self.wave_vector]
        if any(size % step for size in self.sizes):
            raise ValueError(f"wave_vector: {self.wave_vector} fits cells whose size is a multiple of {step}")
        return self


class SqsConfig(Config):
    """A special quasirandom structure (SQS): the ordered cell whose correlations are nearest to a random alloy's."""

    supercell: tuple[PositiveInt, PositiveInt] = (4, 4)
    """Number of primitive cells along both lattice vectors."""
    concentrations: dict[str, float]
    """Species → concentration on the sites that mix; they sum to 1 and to whole numbers of atoms."""
    cutoffs: list[PositiveFloat] = Field([8.0, 5.0], min_length=1)
    """Longest pair, triplet, … whose correlations are matched, in Å."""
    steps: PositiveInt = 10000
    """Number of steps of the simulated annealing."""
    seed: int = 1
    """Seed of the simulated annealing that finds the structure."""
