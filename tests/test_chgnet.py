"""CHGNet, whose weights come with its package."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms

from flatforce.core.errors import ModelError
from flatforce.models import load
from flatforce.models.spec import split_spec
from flatforce.structures.prototypes import monolayer
from flatforce.testing.checks import check_potential
from flatforce.testing.zoo import make_test_sheet

OWN_PRECISION = 2e-5
"""eV/atom and eV/Å: float32, in which CHGNet's own calculator computes."""


@pytest.fixture(scope="module")
def sheet() -> Atoms:
    return make_test_sheet(frozenset({"W", "Se"}))


def test_it_is_right_for_sheets(sheet: Atoms) -> None:
    checks = check_potential(load("chgnet:0.3.0"), sheet)
    assert [check.name for check in checks if not check.passed] == []


def test_it_says_what_its_own_calculator_says(sheet: Atoms) -> None:
    import torch
    from chgnet.model.dynamics import CHGNetCalculator

    potential = load("chgnet:0.3.0")
    ours = potential.evaluate([sheet, sheet.repeat((2, 1, 1))])
    assert torch.get_default_dtype() == torch.float32
    theirs = sheet.copy()
    theirs.pbc = True
    theirs.calc = CHGNetCalculator(use_device="cpu")
    assert ours[0].energy == pytest.approx(theirs.get_potential_energy(), abs=len(sheet) * OWN_PRECISION)
    np.testing.assert_allclose(ours[0].forces, theirs.get_forces(), atol=OWN_PRECISION)
    stress = theirs.get_stress(voigt=False)[:2, :2]
    assert ours[0].stress is not None
    np.testing.assert_allclose(ours[0].stress[:2, :2], stress, atol=OWN_PRECISION)
    assert np.abs(stress).max() > 100 * OWN_PRECISION


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ModelError, match="could not load 9"):
        load("chgnet:9")
    with pytest.raises(ModelError, match="does not know Po"):
        load("chgnet:0.3.0").evaluate([monolayer(("Po", "Se"), prototype="2H", a=3.3, thickness=3.4)])


def test_the_kind_alone_means_its_usual_model() -> None:
    assert split_spec("chgnet") == ("chgnet", "0.3.0")
    with pytest.raises(ModelError, match="no kind of force field"):
        split_spec("mace")
