"""Products of a sparse matrix with many vectors on a GPU, by torch."""

from __future__ import annotations

import importlib.util
import warnings
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    import scipy.sparse as sp

    from flatforce.core.arrays import FloatArray

    Product: TypeAlias = Callable[[FloatArray], FloatArray]


def torch_product(matrix: sp.csr_matrix, device: str = "auto") -> Product | None:
    """Put a matrix on a device.

    Parameters
    ----------
    matrix
        (n, n) sparse.
    device
        Torch's name of it; `auto` for a GPU if there is one.

    Returns
    -------
    What multiplies (n, V) vectors by it in float64; None where `auto` finds no GPU.
    """
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    if device == "auto":
        if not torch.cuda.is_available():
            return None
        device = "cuda"
    parts = [torch.from_numpy(part) for part in (matrix.indptr, matrix.indices, matrix.data)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        there = torch.sparse_csr_tensor(*parts, size=matrix.shape, check_invariants=True).to(device)

    def product(vectors: FloatArray) -> FloatArray:
        found: FloatArray = (there @ torch.from_numpy(vectors).to(device)).cpu().numpy()
        return found

    return product
