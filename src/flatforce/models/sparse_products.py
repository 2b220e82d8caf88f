"""Products of a sparse matrix with many vectors on a GPU, with torch."""

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
    """Copy a matrix to a device.

    Parameters
    ----------
    matrix
        (n, n) sparse matrix.
    device
        Name of the device in torch; `auto` for a GPU if there is one.

    Returns
    -------
    A function that multiplies (n, V) vectors by the matrix in float64; None if torch is not installed, or `auto` finds no GPU.
    """
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    if device == "auto":
        if not torch.cuda.is_available():
            return None
        device = "cuda"
    tensors = [torch.from_numpy(array) for array in (matrix.indptr, matrix.indices, matrix.data)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        on_device = torch.sparse_csr_tensor(*tensors, size=matrix.shape, check_invariants=True).to(device)

    def product(vectors: FloatArray) -> FloatArray:
        products: FloatArray = (on_device @ torch.from_numpy(vectors).to(device)).cpu().numpy()
        return products

    return product
