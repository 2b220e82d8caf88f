"""The objects that hand out finished results, read from their folders."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from flatforce.core.errors import ResultError
from flatforce.core.results import read_record
from flatforce.report.results.barriers import HopsResult, NebResult
from flatforce.report.results.defect_comparisons import (
    CommitteePhononResult,
    FiniteSizeResult,
    StrainSeriesResult,
    UnfoldedResult,
)
from flatforce.report.results.defect_energies import DefectEnergyResult
from flatforce.report.results.defects import DefectPhononResult, DiluteResult, EmbeddedResult
from flatforce.report.results.dynamics import MdResult
from flatforce.report.results.exports import ExportResult, ForceConstantsExportResult
from flatforce.report.results.mechanics import ElasticResult, ExpansionResult
from flatforce.report.results.models import (
    EvaluationResult,
    LearningRoundResult,
    RelaxationBenchmarkResult,
    StatisticsResult,
    TrainResult,
)
from flatforce.report.results.phonons import PhononResult, RelaxResult
from flatforce.report.results.result import Result
from flatforce.report.results.screening import ScreeningResult
from flatforce.report.results.trees import DefectSeriesResult, LearningResult, ResultTree, result_folders

__all__ = [
    "CommitteePhononResult",
    "DefectEnergyResult",
    "DefectPhononResult",
    "DefectSeriesResult",
    "DiluteResult",
    "ElasticResult",
    "EmbeddedResult",
    "EvaluationResult",
    "ExpansionResult",
    "ExportResult",
    "FiniteSizeResult",
    "ForceConstantsExportResult",
    "HopsResult",
    "LearningResult",
    "LearningRoundResult",
    "MdResult",
    "NebResult",
    "PhononResult",
    "RelaxResult",
    "RelaxationBenchmarkResult",
    "Result",
    "ResultTree",
    "ScreeningResult",
    "StatisticsResult",
    "StrainSeriesResult",
    "TrainResult",
    "UnfoldedResult",
    "open_result",
]

CLASSES: Final[dict[str, type[Result]]] = {
    result_class.KIND: result_class
    for result_class in (
        CommitteePhononResult,
        DefectEnergyResult,
        DefectPhononResult,
        DiluteResult,
        ElasticResult,
        EmbeddedResult,
        EvaluationResult,
        ExpansionResult,
        ExportResult,
        FiniteSizeResult,
        ForceConstantsExportResult,
        HopsResult,
        LearningRoundResult,
        MdResult,
        NebResult,
        PhononResult,
        RelaxResult,
        RelaxationBenchmarkResult,
        ScreeningResult,
        StatisticsResult,
        StrainSeriesResult,
        TrainResult,
        UnfoldedResult,
    )
}
"""Kind of result → its class; every other kind is a plain `Result`."""

DEFECT_KINDS: Final = frozenset(
    {"defect phonons", "embedded defect", "dilute limit", CommitteePhononResult.KIND}
)
"""Kinds that make a series of their parent folder."""


def open_result(folder: str | Path) -> Result | ResultTree:
    """Open a finished result folder, or a folder of such folders.

    Parameters
    ----------
    folder
        What a command or a function wrote.

    Returns
    -------
    Object of the class that belongs to the kind of result.

    Raises
    ------
    ResultError
        If there is no finished result.
    """
    path = Path(folder)
    if not path.is_dir():
        raise ResultError(f"There is no folder {path}.", fix="give the folder that a command wrote")
    if (path / "result.json").is_file():
        return CLASSES.get(read_record(path)["kind"], Result)(path)
    kinds = {
        read_record(child)["kind"] for child in result_folders(path) if (child / "result.json").is_file()
    }
    if LearningRoundResult.KIND in kinds:
        return LearningResult(path)
    return DefectSeriesResult(path) if kinds & DEFECT_KINDS else ResultTree(path)
