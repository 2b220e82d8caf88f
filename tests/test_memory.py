"""Computations that do not fit into memory are refused before anything is written, with what to compute instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.io import write
from typer.testing import CliRunner

import flatforce as ff
from flatforce.cli import app
from flatforce.core.errors import ConfigError, ResourceError
from flatforce.core.memory import LIMIT_VARIABLE, check_memory, format_bytes, free_memory
from flatforce.properties.phonons.config import DefectPhononConfig, DiluteConfig, EmbedConfig, PhononConfig
from flatforce.properties.phonons.memory import (
    check_defect_cell,
    check_embedding_memory,
    check_green_function,
    check_pristine,
)
from flatforce.structures.alloys import alloy_lattice
from flatforce.structures.ordering_count import count_orderings
from flatforce.structures.orderings import enumerate_orderings
from flatforce.studies.alloy.config import AlloyStudy

LJ = "ase:ase.calculators.lj:LennardJones?sigma=2.2&epsilon=0.5&rc=5.0&cutoff=5.0&elements=W,Se"
ALLOY = "alloy: {name: MoWSe2, prototype: 2H, symbols: [W, Se], a: 3.3, thickness: 3.36, site: W, species: [Mo, W]}\n"


def test_free_memory_is_that_of_the_machine_or_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    assert 1e7 < free_memory() < 1e14
    monkeypatch.setenv(LIMIT_VARIABLE, "2.5")
    assert free_memory() == pytest.approx(2.5e9)
    check_memory(1.9e9, task="It", instead="less")
    with pytest.raises(ResourceError, match=r"It would take about 2\.1 GB") as error:
        check_memory(2.1e9, task="It", instead="take less")
    assert error.value.fix.startswith("take less")
    for wrong in ("", "-1", "many"):
        monkeypatch.setenv(LIMIT_VARIABLE, wrong)
        with pytest.raises(ConfigError, match=LIMIT_VARIABLE):
            free_memory()
    assert [format_bytes(n) for n in (3e5, 2e7, 7.7e9, 4e12)] == ["0.3 MB", "20 MB", "7.7 GB", "4 TB"]


COMMANDS = [
    (["phonons", LJ, "sheet.xyz", "-s", "40", "40", "-o", "out"], "smaller supercell"),
    (["defect", "phonons", LJ, "sheet.xyz", "v_Se:top", "-s", "12", "12", "-o", "out"], "--embed"),
    (
        ["defect", "phonons", LJ, "sheet.xyz", "v_Se:top", "-s", "4", "4", "--embed", "200", "-o", "out"],
        "--embed 60",
    ),
    (
        ["defect", "build", "sheet.xyz", "v_Se:top", "-s", "500", "500", "-o", "out.extxyz"],
        "smaller supercell",
    ),
    (["defect", "sites", "sheet.xyz", "-s", "500", "500"], "smaller supercell"),
    (["alloy", "enumerate", "-c", "alloy.yaml", "-o", "out"], "max_cells"),
    (
        ["alloy", "energies", "-c", "alloy.yaml", "--model", LJ.replace("=W", "=Mo,W"), "-o", "out"],
        "max_cells",
    ),
]


@pytest.mark.parametrize(("arguments", "instead"), COMMANDS, ids=lambda value: str(value)[:40])
def test_every_command_refuses_before_it_writes(
    unit: Atoms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], instead: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(LIMIT_VARIABLE, "0.5" if "4" in arguments else "0.1")
    write("sheet.xyz", unit, format="extxyz")
    Path("alloy.yaml").write_text(ALLOY + "max_cells: 40\n", encoding="utf-8")
    before = sorted(tmp_path.iterdir())
    result = CliRunner().invoke(app, arguments)
    assert isinstance(result.exception, ResourceError), result.exception
    assert instead in result.exception.fix
    assert "GB" in result.exception.what or "TB" in result.exception.what or "MB" in result.exception.what
    assert sorted(tmp_path.iterdir()) == before


def test_python_refuses_as_the_command_line_does(unit: Atoms, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(ff.build_defect(unit, "v_Se:top", (6, 6)).atoms) == 107
    monkeypatch.setenv(LIMIT_VARIABLE, "0.1")
    with pytest.raises(ResourceError):
        ff.build_defect(unit, "v_Se:top", (500, 500))
    with pytest.raises(ResourceError):
        ff.phonons(LJ, unit, supercell=(40, 40))


def test_estimates_grow_as_their_arrays_do(unit: Atoms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest limit that lets a calculation pass, found by bisection, scales with the size of its arrays."""

    def needed(check: object, *arguments: object, **keywords: object) -> float:
        low, high = 1e-6, 1e9
        while high / low > 1.001:
            middle = float(np.sqrt(low * high))
            monkeypatch.setenv(LIMIT_VARIABLE, str(middle))
            try:
                check(*arguments, **keywords)  # type: ignore[operator]
            except ResourceError:
                low = middle
            else:
                high = middle
        return 0.8 * high

    def pristine(n: int) -> float:
        return needed(check_pristine, unit, PhononConfig(supercell=(n, n), mesh=1))

    assert pristine(20) / pristine(10) == pytest.approx(16, rel=0.01)
    assert pristine(10) > 300**2 * 72 / 1e9  # the force constants themselves
    large = DefectPhononConfig(supercell=(40, 40))
    assert needed(check_defect_cell, unit, large) > (3 * 4800) ** 2 * 16 / 1e9  # one eigenvector matrix
    assert needed(check_defect_cell, unit, DefectPhononConfig(supercell=(6, 6))) < 1.5
    embeddings = [
        needed(check_embedding_memory, unit, EmbedConfig(supercell=(n, n)), interaction_range=10.0)
        for n in (90, 180)
    ]
    assert embeddings[1] / embeddings[0] == pytest.approx(4, rel=0.01)
    assert embeddings[1] == pytest.approx(10.1, rel=0.1)  # as measured, docs/phonons.md
    meshes = [needed(check_green_function, 3, DiluteConfig(mesh=mesh)) for mesh in (128, 256)]
    assert meshes[1] / meshes[0] == pytest.approx(4, rel=0.01)


def test_the_number_of_orderings_is_bounded_from_below(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("icet")
    monkeypatch.delenv(LIMIT_VARIABLE, raising=False)
    import yaml

    lattice = alloy_lattice(AlloyStudy.parse(yaml.safe_load(ALLOY), source="test").alloy)
    counts = [len(enumerate_orderings(lattice, max_cells=n)) for n in (4, 6)]
    estimates = [count_orderings(lattice, max_cells=n) for n in (4, 6)]
    for count, estimate in zip(counts, estimates, strict=True):
        assert count / 5 < estimate < count
    assert count_orderings(lattice, max_cells=40) > 1e11
    assert np.isfinite(count_orderings(lattice, max_cells=5000))
