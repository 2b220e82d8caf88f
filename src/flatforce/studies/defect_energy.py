"""Formation and binding energies of defects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from flatforce.core.errors import ConfigError
from flatforce.studies.checks import LABELS, VERIFY_MACHINE, collected, structure_problems
from flatforce.studies.stage import Context, Source, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ase import Atoms

    from flatforce.core.errors import FlatforceError
    from flatforce.core.identity import Identity
    from flatforce.properties.defect_energies.config import DefectEnergyConfig
    from flatforce.properties.defect_energies.result import DefectEnergies
    from flatforce.studies.session import Session


def with_card_references(config: DefectEnergyConfig, spec: str) -> DefectEnergyConfig:
    """Add the reference energies of the model card to those of the settings, which come first.

    Parameters
    ----------
    config
        Settings.
    spec
        Name of the force field.

    Returns
    -------
    The settings with all references that are known.
    """
    from flatforce.models.model_card import read_card

    known = read_card(spec).get("references", {})
    return config.model_copy(update={"references": {**known, **config.references}})


@dataclass(frozen=True)
class DefectEnergyStage(Stage):
    """Relaxes defects; `formation_energies.csv` and `relaxed.extxyz` stand in the folder."""

    kind: ClassVar[str] = "defect energies"
    files: ClassVar[tuple[str, ...]] = ("formation_energies.csv", "relaxed.extxyz", "labelled.extxyz")
    excluded: ClassVar[tuple[str, ...]] = VERIFY_MACHINE

    structure: Source
    """Relaxed primitive cell."""
    defects: tuple[str, ...]
    """Notations."""
    config: DefectEnergyConfig

    def inputs(self) -> dict[str, Source | str | None]:
        """Return the structure."""
        return {"structure": self.structure}

    def settings(self) -> dict[str, Any]:
        """Return the defects; their order does not matter."""
        return {"defects": sorted(self.defects)}

    def extends(self, record: dict[str, Any], identity: Identity) -> bool:
        """Tell whether the folder is of fewer defects or other labels of the same sheet by the same force field."""
        if record["kind"] != self.kind or record["inputs"] != identity.inputs:
            return False
        stored, settings = dict(record["config"]), dict(identity.settings)
        if not set(stored.pop("defects")) <= set(settings.pop("defects")):
            return False
        return all(
            settings[name] == stored.get(name, settings[name]) or name.startswith("verify")
            for name in settings
        )

    def problems(self, session: Session) -> Iterator[FlatforceError]:
        """Check species, notations and references before anything is relaxed."""
        errors = structure_problems(session, self.structure)
        yield from errors
        if errors:
            return
        yield from self.notation_problems(session.structure(self.structure))
        if self.config.verify is not None:
            from flatforce.studies.learn.checks import label_problems

            yield from label_problems(self.config.verify)

    def notation_problems(self, primitive: Atoms) -> list[FlatforceError]:
        """Check that every defect can be built, and that the chemical potentials of its atoms are bounded.

        Parameters
        ----------
        primitive
            The sheet.

        Returns
        -------
        What is wrong, as errors that were not raised.
        """
        if not self.defects:
            return [ConfigError("No defect is named.", fix="name one, such as v_Se:top")]
        return collected(*(partial(self._check, primitive, defect) for defect in self.defects))

    def _check(self, primitive: Atoms, defect: str) -> None:
        """Build the defect, and look up the chemical potentials of its atoms."""
        from flatforce.properties.defect_energies.chemical_potentials import find_limits
        from flatforce.properties.defect_energies.run import expand
        from flatforce.structures.defects import build_defect

        size = min(self.config.sizes)
        host = {str(k): int(v) for k, v in primitive.symbols.formula.count().items()}
        for name in expand(primitive, [defect], self.config):
            atoms = build_defect(primitive, (size, size), name).atoms
            others = set(atoms.get_chemical_symbols()) - set(host)
            # any low energy of the sheet is stable against all phases: only their presence is checked here
            lowest = sum(n * min(0.0, *self.config.references.values(), -1e3) for n in host.values())
            find_limits(host, lowest, self.config.references, others)

    def compute(self, context: Context) -> DefectEnergies:
        """Relax the defects."""
        from flatforce.properties.defect_energies.labelled import label_defects
        from flatforce.properties.defect_energies.run import defect_energies

        primitive = context.structure(self.structure)
        result = defect_energies(
            context.potential,
            primitive,
            self.defects,
            self.config,
            scratch=context.scratch,
            progress=context.progress,
        )
        if self.config.verify is None:
            return result
        labelled = label_defects(
            result.relaxed(min(self.config.sizes)),
            primitive,
            context.potential.evaluate(primitive).energy,
            self.config,
            cache=context.folder / LABELS,
            progress=context.progress,
        )
        return replace(result, labelled=labelled)
