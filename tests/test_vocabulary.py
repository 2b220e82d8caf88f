"""What users read speaks the language of the field: help texts, templates of settings, and the documentation."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from flatforce.cli import app
from flatforce.cli.settings import SETTINGS, template

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "flatforce"
MODULES = sorted(PACKAGE.rglob("*.py"))
WRITTEN = {"_build", "generated", "auto_tutorials"}
"""Folders of the manual that are made from other sources."""

PAGES = [
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if not WRITTEN & set(page.parts)),
    *sorted((ROOT / "docs" / "tutorials").glob("*.py")),
]

FORBIDDEN = {
    r"\bdoubt\w*": "uncertainty, uncertain",
    r"\blearnt\b|\bn_learnt\b": "training set, n_train",
    r"\bin hindsight\b": "retrospective",
    r"\bper_round\b": "labels_per_round",
    r"\bstop\.(budget|gain)\b": "stop.label_budget, stop.min_improvement",
    r"\bgo_on\b": "on_the_fly",
    r"\bstop_above\b": "uncertainty_threshold",
    r"\brealign\b": "refit_e0s",
    r"\bmax_gradient\b": "clip_grad",
    r"\bhuber:": "huber_delta",
    r"(?<!config_)\btype_weights\b": "config_type_weights",
    r"\be_cut:|--e-cut\b": "min_energy_step (say once that the literature writes e_cut)",
    r"\bshares?:|--share\b|\bshare_[A-Z]|\bshares? of the sites\b": "concentration, concentrations",
    r"\bquasirandom:|(?<!special )\bquasirandom (sheet|structure)s?": "sqs, special quasirandom structure",
    r"\b(raw|left)_(\w+|…)": "*_residual_before, *_residual_after",
    r"\bforce_at_rest\b": "residual_force",
    r"\brim_\w+": "n_check_rows, truncation_error",
    r"\brow_difference\b": "row_check_difference",
    r"\bnear[ _]dos\b": "LDOS of the innermost shell, ldos",
    r"\batoms taking part\b": "participation number",
    r"\b(known|unknown) reach\b|\breach of\b|\bits reach\b": "interaction range, receptive field",
    r"\bmend(s|ed|ing)?\b": "fix, corrected",
    r"\btold\b": "reported",
    r"\balong (the|its) normal\b": "out of plane",
    r"\bpasses over the data\b": "epochs",
    r"\bbrought into line\b": "linearly recalibrated",
    r"--energies-alone\b|\benergies alone\b": "--energy-only, energy-only training",
    r"\baim: \w+|--aim\b": "objective: minimise, maximise, explore, random",
    r"\bwords that start\b": "command",
    r"\bwho pays\b": "account",
    r"\bfunctional: P[ESB]\b": "xc: PBE",
    r"\bask(s|ed)? again\b": "retries",
    r"(?<![\w@])(?!v_)V_(?!Se\b|\{)[A-Z][a-z]?\b": "v_W (vacancy) or V@W (vanadium)",
    r"--size\b|(?<![\w-])-n \d": "--supercell/-s N M, --sizes",
}
"""Pattern of a word that users must not meet → what the field says."""


def violations(text: str) -> list[str]:
    lines = []
    for pattern, replacement in FORBIDDEN.items():
        for match in re.finditer(pattern, text, re.IGNORECASE if pattern.islower() else 0):
            number = text.count("\n", 0, match.start()) + 1
            lines.append(f"line {number}: {match[0]!r}; write {replacement}")
    return lines


def help_texts() -> dict[str, str]:
    """Help of every command and option, by the words that call it."""
    texts: dict[str, str] = {}

    def visit(words: tuple[str, ...], command: Any) -> None:
        parameters = [
            f"{' '.join(parameter.opts)} {getattr(parameter, 'help', None) or ''}"
            for parameter in command.params
        ]
        texts[" ".join(words)] = "\n".join([command.help or "", *parameters])
        for name, inner in getattr(command, "commands", {}).items():
            visit((*words, name), inner)

    visit(("flatforce",), typer.main.get_command(app))
    return texts


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documentation(page: Path) -> None:
    assert violations(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("command", SETTINGS)
def test_templates_of_settings(command: str) -> None:
    assert violations(template(command)) == []


@pytest.mark.parametrize(("words", "text"), help_texts().items(), ids=help_texts())
def test_help(words: str, text: str) -> None:
    assert violations(text) == [], words


@pytest.mark.parametrize(
    "text",
    [
        "doubt: committee",
        "the share_W column",
        "raw_translation",
        "the model was told",
        "v_Se -n 6",
        "huber: 0.1",
    ],
)
def test_forbidden_words_are_noticed(text: str) -> None:
    assert violations(text)


def messages(path: Path) -> list[str]:
    """Texts of a module that are no docstrings: messages, headings, captions, names of metrics and keys."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_messages_captions_and_metrics(path: Path) -> None:
    assert [found for text in messages(path) for found in violations(text)] == []


def test_words_of_the_field_pass() -> None:
    text = "uncertainty, recommended, special quasirandom structure, v_Se, V_Se as papers write it, concentration: 0.5"
    assert violations(text) == []
