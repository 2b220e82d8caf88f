"""Export of a MACE model: the files are written, read back by their program, and compared on a sheet."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flatforce.core.files import write_text
from flatforce.core.progress import Progress, silent
from flatforce.models.exports import run_lammps, sheet_calculator
from flatforce.models.exports.ase_module import predict_by_module, write_model
from flatforce.models.exports.lammps_files import (
    NONLINEAR_VERSION,
    PairStyle,
    atom_types,
    data_text,
    run_text,
    to_lammps_cell,
)
from flatforce.models.exports.lammps_process import lammps_environment, predict_in_lammps
from flatforce.models.exports.mliap import load_double, nonlinear_blocks, predict_mliap, write_mliap
from flatforce.models.exports.symmetrix_json import predict_symmetrix, write_symmetrix
from flatforce.models.spec import split_spec
from flatforce.properties.export.certificate import ModelCertificate
from flatforce.properties.export.comparison import compare, make_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ase import Atoms

    from flatforce.models.potential import Potential
    from flatforce.models.protocols import RawPrediction
    from flatforce.properties.export.config import ExportConfig, Target

LAMMPS_MODEL: Final = "model-mliap_lammps.pt"
SYMMETRIX_MODEL: Final = "model.json"
ASE_MODEL: Final = "model.model"

N_STEPS: Final = 4
"""Steps that the progress display counts."""


@dataclass(frozen=True)
class _Export:
    """Files that were written, and how they are read back."""

    written: list[Path]
    predict: Callable[[Sequence[Atoms]], list[RawPrediction]]
    compared_in: str
    remarks: list[str]


def export_model(
    potential: Potential,
    sheet: Atoms,
    config: ExportConfig,
    *,
    to: Target,
    scratch: Path,
    progress: Progress = silent,
) -> ModelCertificate:
    """Export a MACE model and compare energies, forces, stress and one phonon on a sheet.

    Parameters
    ----------
    potential
        The force field `mace:…` in double precision.
    sheet
        The sheet on which it is compared.
    config
        Settings.
    to
        `lammps`, `symmetrix` or `ase`.
    scratch
        Folder for the files, which the certificate copies.
    progress
        Called before each step.

    Returns
    -------
    The certificate with the differences, and the paths of the files in `scratch`.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    atoms = to_lammps_cell(sheet, cutoff=potential.cutoff)
    progress(0, N_STEPS, "phonon of the sheet")
    frames = make_frames(potential, atoms, rattle=config.rattle)
    progress(1, N_STEPS, f"files for {to}")
    title = f"{atoms.symbols.formula.format('metal')} with {potential.spec}"
    export = EXPORTERS[to](potential, atoms, config, scratch, title)
    progress(2, N_STEPS, f"comparison in {export.compared_in}")
    others = export.predict(frames.frames)
    progress(3, N_STEPS, "comparison")
    return ModelCertificate(
        compare(frames, potential, others), config, export.written, export.compared_in, export.remarks
    )


def _to_lammps(
    potential: Potential, atoms: Atoms, config: ExportConfig, scratch: Path, title: str
) -> _Export:
    module = load_double(split_spec(potential.spec)[1])
    nonlinear = bool(nonlinear_blocks(module))
    model = scratch / LAMMPS_MODEL
    write_mliap(module, model)
    pair = PairStyle(f"mliap unified {LAMMPS_MODEL} 0", "", atom_types(atoms), nonlinear)
    written = [model, *_write_deck(atoms, pair, config, scratch, title)]
    written.append(Path(shutil.copyfile(run_lammps.__file__, scratch / "run_lammps.py")))
    remarks = [_nonlinear_remark(module)] if nonlinear else []
    environment = lammps_environment()
    if environment is None:
        remarks.append(
            "LAMMPS is not installed, so that the file was compared outside of it; to compare in LAMMPS, type "
            "`flatforce env create lammps` and export to another folder"
        )
        return _Export(written, lambda frames: predict_mliap(model, frames), "mace-torch", remarks)
    python = environment.python
    compared_in = f"LAMMPS {environment.versions.get('lammps', '')}".strip()
    return _Export(written, lambda frames: predict_in_lammps(model, frames, python), compared_in, remarks)


def _to_symmetrix(
    potential: Potential, atoms: Atoms, config: ExportConfig, scratch: Path, title: str
) -> _Export:
    module = load_double(split_spec(potential.spec)[1])
    heads = list(getattr(module, "heads", None) or [])
    source = scratch / ASE_MODEL
    write_model(module, source)
    model = scratch / SYMMETRIX_MODEL
    write_symmetrix(source, model, head=heads[-1] if len(heads) > 1 else None)
    source.unlink()
    style = "symmetrix/mace/kk streamed_edges non-compiled"
    pair = PairStyle(style, f"{SYMMETRIX_MODEL} ", atom_types(atoms))
    written = [model, *_write_deck(atoms, pair, config, scratch, title)]
    remark = "in.lammps needs a LAMMPS of 10 December 2025 or later that was built with symmetrix-xl's pair style; it was not run"
    version = f"symmetrix-xl {metadata.version('symmetrix-xl')}"
    return _Export(written, lambda frames: predict_symmetrix(model, frames), version, [remark])


def _to_ase(potential: Potential, atoms: Atoms, config: ExportConfig, scratch: Path, title: str) -> _Export:
    del atoms, config, title
    model, python = scratch / ASE_MODEL, scratch / "calculator.py"
    write_model(load_double(split_spec(potential.spec)[1]), model)
    shutil.copyfile(sheet_calculator.__file__, python)
    version = f"ASE {metadata.version('ase')}"
    return _Export([model, python], lambda frames: predict_by_module(python, frames), version, [])


EXPORTERS: Final[dict[str, Callable[[Potential, Atoms, ExportConfig, Path, str], _Export]]] = {
    "lammps": _to_lammps,
    "symmetrix": _to_symmetrix,
    "ase": _to_ase,
}
"""Program → function that writes its files."""


def _write_deck(atoms: Atoms, pair: PairStyle, config: ExportConfig, scratch: Path, title: str) -> list[Path]:
    deck, data = scratch / "in.lammps", scratch / "sheet.data"
    write_text(deck, run_text(atoms, pair, title=title, temperature=config.temperature))
    write_text(data, data_text(atoms))
    return [deck, data]


def _nonlinear_remark(module: object) -> str:
    return (
        f"the model has non-linear blocks ({', '.join(dict.fromkeys(nonlinear_blocks(module)))}): a LAMMPS before "
        f"{NONLINEAR_VERSION} computes wrong forces with `pair_style mliap unified`, without an error; in.lammps refuses to run "
        "there, run_lammps.py is right with every version"
    )
