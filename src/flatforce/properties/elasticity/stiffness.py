"""Arithmetic of the elasticity of a sheet: from stresses of strained cells to constants, moduli and stability.

Strain is Lagrangian, η = (FᵀF − 1)/2, and stress is the second Piola–Kirchhoff stress of the sheet, S = det F · F⁻¹ σ F⁻ᵀ with the
membrane stress σ in N/m. Then S_i = C_ij η_j + C_ijk η_j η_k / 2 to second order (Wei, Fragneaud, Marianetti and Kysar, Phys. Rev. B
80, 205407, 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from flatforce.core.arrays import FloatArray

PATTERNS: Final = {"xx": 0, "yy": 1, "xy": 2}
"""Strain that is applied → its Voigt component; a shear γ = 2 η_xy."""

FRACTIONS: Final = (-1.0, -0.5, 0.5, 1.0)
"""Strains of a pattern, relative to the largest: with them an error of third order in the strain cancels."""


def deformation(pattern: str, strain: float) -> FloatArray:
    """Compute the deformation without rotation that has one Lagrangian strain component.

    Parameters
    ----------
    pattern
        `xx`, `yy` or `xy`.
    strain
        Lagrangian strain; of a shear, γ = 2 η_xy.

    Returns
    -------
    (2, 2) F = √(1 + 2 η).
    """
    eta = np.zeros((2, 2))
    if pattern == "xy":
        eta[0, 1] = eta[1, 0] = strain / 2
    else:
        eta[PATTERNS[pattern], PATTERNS[pattern]] = strain
    squares, axes = np.linalg.eigh(np.eye(2) + 2 * eta)
    return np.asarray((axes * np.sqrt(squares)) @ axes.T)


def second_piola_kirchhoff(membrane_stress: FloatArray, gradient: FloatArray) -> FloatArray:
    """Refer the stress of a deformed sheet to the undeformed one.

    Parameters
    ----------
    membrane_stress
        (2, 2) N/m, force per length of the deformed sheet.
    gradient
        (2, 2) deformation gradient F.

    Returns
    -------
    (3) N/m, Voigt components xx, yy, xy of S = det F · F⁻¹ σ F⁻ᵀ.
    """
    inverse = np.linalg.inv(gradient)
    tensor = np.linalg.det(gradient) * inverse @ membrane_stress @ inverse.T
    return np.array([tensor[0, 0], tensor[1, 1], (tensor[0, 1] + tensor[1, 0]) / 2])


def fit_constants(
    strains: FloatArray, stresses: FloatArray, unstrained: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fit stress against strain by the polynomial through all points.

    Parameters
    ----------
    strains
        (K) strains of one pattern, without zero.
    stresses
        (K, 3) N/m at these strains.
    unstrained
        (3) N/m, stress at zero strain.

    Returns
    -------
    (3) N/m, first derivatives of the stress; (3) N/m, second derivatives.
    """
    powers = strains[:, None] ** np.arange(1, len(strains) + 1)
    coefficients = np.linalg.solve(powers, stresses - unstrained)
    return coefficients[0], 2 * coefficients[1]


def symmetric_stiffness(columns: FloatArray) -> tuple[FloatArray, float]:
    """Average the two values of each off-diagonal constant, which differ by numerical errors alone.

    Parameters
    ----------
    columns
        (3, 3) N/m, stress component by strain component.

    Returns
    -------
    (3, 3) N/m, symmetric; and the largest difference of the two values, N/m.
    """
    return (columns + columns.T) / 2, float(np.abs(columns - columns.T).max())


def moduli_by_direction(stiffness: FloatArray, angles: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Compute Young's modulus and Poisson's ratio for uniaxial stress along each direction.

    Parameters
    ----------
    stiffness
        (3, 3) N/m, Voigt order xx, yy, xy, positive definite.
    angles
        (A) radians, from the x axis.

    Returns
    -------
    (A) N/m, Young's moduli; (A) Poisson's ratios.
    """
    compliance = np.linalg.inv(stiffness)
    tension = np.stack([np.cos(angles) ** 2, np.sin(angles) ** 2, np.sin(angles) * np.cos(angles)])
    across = np.stack([np.sin(angles) ** 2, np.cos(angles) ** 2, -np.sin(angles) * np.cos(angles)])
    strain = compliance @ tension  # engineering shear in the third row
    young = 1 / (tension * strain).sum(axis=0)
    return young, -young * (across * strain).sum(axis=0)


def christoffel_velocities(stiffness: FloatArray, density: float, direction: FloatArray) -> FloatArray:
    """Compute the velocities of in-plane sound in a sheet.

    Parameters
    ----------
    stiffness
        (3, 3) N/m.
    density
        kg/m².
    direction
        (2) unit vector of the wave.

    Returns
    -------
    (2) m/s, transverse-like and longitudinal-like; NaN where the sheet is unstable.
    """
    x, y = direction
    project = np.array([[x, 0.0, y], [0.0, y, x]])
    squares = np.linalg.eigvalsh(project @ stiffness @ project.T) / density
    return np.asarray(np.sqrt(np.where(squares > 0, squares, np.nan)))
