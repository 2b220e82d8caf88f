"""What to cite: only what was used, from one file of references."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import flatforce as ff
from flatforce.cli import app
from flatforce.core.errors import ResultError
from flatforce.core.results import Record, write_record
from flatforce.models.spec import BACKENDS
from flatforce.report.page import write_report
from flatforce.report.references import methods
from flatforce.report.references.bibliography import all_references
from flatforce.report.references.citations import references_of
from flatforce.report.sections.registry import MAKERS

CITATION = Path(__file__).parents[1] / "CITATION.cff"


def record(kind: str, **content: Any) -> dict[str, Any]:
    return {"kind": kind, "config": {}, "details": {}, "inputs": {}, "subject": {}, **content}


def keys(kind: str, **content: Any) -> set[str]:
    return {reference.key for reference in references_of([record(kind, **content)])}


def test_every_reference_is_complete_and_every_key_exists() -> None:
    references = all_references()
    text = Path(methods.__file__).with_name("references.bib").read_text(encoding="utf-8")
    assert len(references) == text.count("\n}") > 40
    for reference in references.values():
        assert {"author", "title", "year"} <= set(reference.fields), reference.key
        assert re.fullmatch(r"(19|20)\d\d", reference.fields["year"])
        assert re.fullmatch(r"10\.\d{4,}/\S+", reference.fields.get("doi", "10.1234/x")), reference.key
    named = {
        key for table in (methods.KINDS, methods.MODELS, methods.LABELS) for key in sum(table.values(), ())
    }
    named |= {key for _, _, method in methods.SETTINGS for key in method}
    named |= {"flatforce", *methods.PUBLISHED_MACE, *methods.PACKAGES}
    assert named == set(references)  # nothing is cited that is not in the file, and nothing lies there unused


def test_flatforce_is_cited_as_its_citation_file_says() -> None:
    citation = yaml.safe_load(CITATION.read_text(encoding="utf-8"))
    fields = all_references()["flatforce"].fields
    assert fields["title"] == citation["title"]
    assert fields["author"].strip("{}") == citation["authors"][0]["name"]
    assert fields["year"] == str(citation["date-released"])[:4]
    assert citation["version"] == ff.__version__


def test_every_kind_of_force_field_has_a_reference() -> None:
    assert set(BACKENDS) - {"committee"} <= set(methods.MODELS)


def test_kinds_are_those_of_the_page() -> None:
    others = {"alloy orderings", "alloy sqs"}
    assert set(methods.KINDS) <= set(MAKERS) | others


def test_only_what_was_used_is_cited() -> None:
    pristine = keys("phonons", inputs={"model": "mace:0123"})
    assert {"flatforce", "phonopy", "spglib", "seekpath", "mace"} <= pristine
    assert not pristine & {"unfolding", "green-function", "icet", "conformal", "polar-2d", "gpaw", "mace-mp"}
    assert "polar-2d" in keys("phonons", config={"polar": {"born": []}})
    assert "polar-2d" not in keys("phonons", config={"polar": None})
    assert "unfolding" in keys("unfolded bands")
    assert "green-function" in keys("dilute limit")
    assert "sqs" in keys("alloy sqs")
    assert {"conformal"} <= keys("learning round")
    assert "cross-conformal" not in keys("learning round", config={"calibration_folds": 1})
    assert "cross-conformal" in keys("learning round", config={"calibration_folds": 5})


def test_force_fields_and_labels_name_their_papers() -> None:
    assert "mace-mp" in keys("relax", inputs={"model": "mace:medium-mpa-0"})
    assert {"mace", "chgnet"} <= keys("relax", inputs={"model": "committee:mace:ab,chgnet:cd"})
    for corrected in ("d3:mace:wse2-pbe", "d3:pbe+bj+25:mace:ab", "committee:d3:mace:ab,d3:chgnet:cd"):
        assert {"d3", "d3-bj", "torch-dftd", "mace"} <= keys("relax", inputs={"model": corrected})
    assert {"d3", "d3-bj"} <= keys("evaluate", details={"labels": ["D3(BJ)", "PBE"]})
    assert "d3" not in keys("relax", inputs={"model": "mace:ab"})
    assert {"matgl", "m3gnet"} <= keys("relax", subject={"model": "matgl:folder", "architecture": "m3gnet"})
    assert {"gpaw", "pbe"} <= keys("evaluate", details={"labels": ["PBE", "gpaw"]})
    assert {"vasp", "vasp-paw"} <= keys("label", config={"settings": {"engine": "vasp"}})


def test_versions_are_those_that_computed() -> None:
    old, new = (record("phonons", versions={"flatforce": version}) for version in ("0.0.9", "0.1.0"))
    assert references_of([old])[0].fields["version"] == "0.0.9"
    assert "version" not in references_of([old, new])[0].fields


def test_the_page_and_the_command_name_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    content = Record("relax", {"optimizer": "FIRE"}, {"a": 3.2}, {"a": "Å"}, {"model": "mace:wse2-pbe"})
    write_record(folder, content)
    outcome = CliRunner().invoke(app, ["cite", str(folder)])
    assert outcome.exit_code == 0
    assert outcome.stdout == ff.cite(folder)
    printed = re.findall(r"^@\w+\{([\w-]+),", outcome.stdout, re.MULTILINE)
    assert printed == [reference.key for reference in ff.open(folder).references]
    text = write_report(folder, tmp_path / "page").read_text(encoding="utf-8")
    listed = text[text.index('id="references"') :]
    assert listed.count("<li>") == len(printed) == len({"flatforce", "mace", "ase", "fire"})
    assert "https://doi.org/10.1103/PhysRevLett.97.170201" in listed
    assert "Dávid" not in listed  # of many authors the first is named
    with pytest.raises(ResultError, match="no finished result"):
        ff.cite(tmp_path / "page")


def test_printed_references_are_those_of_the_field() -> None:
    assert str(all_references()["m3gnet"]) == (
        "Chi Chen and Shyue Ping Ong, A universal graph deep learning interatomic potential for the periodic table, "
        "Nature Computational Science 2, 718–728 (2022)"
    )
    assert str(all_references()["mattersim"]).endswith("arXiv:2405.04967 (2024)")
