"""One or two examples of each command: its help ends with them, and the reference of the manual shows them."""

from __future__ import annotations

from typing import Any, Final

COMMAND_LINES: Final[dict[str, tuple[str, ...]]] = {
    "demo": ("demo --quick -o demo",),
    "run": ("run study.yaml -o study",),
    "label": ("label structures.extxyz -c label.yaml -o labelled.extxyz",),
    "learn": ("learn learn.yaml -o learn",),
    "train": ("train -c train.yaml -o model",),
    "finetune": ("finetune chgnet:0.3.0 -c few.yaml -o tuned",),
    "sweep": ("sweep sweep.yaml -o sweep",),
    "evaluate": (
        "evaluate mace:wse2-pbe frames.extxyz -o evaluation",
        "evaluate model/model.model frames.extxyz --split model/split.json -o test",
    ),
    "doctor": ("doctor", "doctor mace:wse2-pbe"),
    "relax": ("relax mace:wse2-pbe WSe2.cif -o relaxed",),
    "screen": (
        "screen chgnet:0.3.0 candidates.extxyz --references elements.extxyz -o screening",
        "screen mace:wse2-pbe structures/ -c screen.yaml -o screening",
    ),
    "phonons": ("phonons mace:wse2-pbe relaxed/relaxed.extxyz -s 6 6 -o phonons",),
    "elastic": (
        "elastic mace:wse2-pbe relaxed/relaxed.extxyz -o elastic",
        "elastic symmetrix:wse2-pbe relaxed/relaxed.extxyz --bending both --nonlinear -o elastic",
    ),
    "md": (
        "md symmetrix:wse2-pbe relaxed/relaxed.extxyz -s 12 12 -T 300 --steps 20000 -o md",
        "md symmetrix:wse2-pbe vacancy.extxyz --ensemble npt -T 100 300 500 -o hot",
    ),
    "expansion": ("expansion symmetrix:wse2-pbe relaxed/relaxed.extxyz -o expansion",),
    "export": (
        "export mace:wse2-pbe --to lammps --sheet relaxed/relaxed.extxyz -o lammps",
        "export phonons --to phonopy -o phonopy",
    ),
    "neb": (
        "neb mace:wse2-pbe start.extxyz end.extxyz -o hop",
        "neb committee:a.model,b.model start.extxyz end.extxyz --verify label.yaml -o hop",
    ),
    "report": ("report study",),
    "cite": ("cite phonons",),
    "settings": ("settings train", "settings defect phonons"),
    "data import": ("data import calculations/ -o frames.extxyz",),
    "data audit": ("data audit calculations/",),
    "data curate": ("data curate frames.extxyz --keep 500 -o curated.extxyz",),
    "data split": ("data split frames.extxyz --folds 5 -o split.json",),
    "data stats": ("data stats wse2-pbe -o statistics",),
    "defect sites": ("defect sites relaxed/relaxed.extxyz -s 3 3",),
    "defect build": ("defect build relaxed/relaxed.extxyz v_Se:top -s 6 6 -o vacancy.extxyz",),
    "defect phonons": (
        "defect phonons mace:wse2-pbe relaxed/relaxed.extxyz v_Se:top -s 6 6 -o vacancy",
        "defect phonons symmetrix:wse2-pbe relaxed/relaxed.extxyz v_Se:top --sizes 6 9 12 --embed 60 --dilute -o series",
    ),
    "defect energy": (
        "defect energy symmetrix:wse2-pbe relaxed/relaxed.extxyz v_Se:top v_W Se@W --sizes 6 9 12 -o energies",
    ),
    "defect strain": (
        "defect strain mace:wse2-pbe relaxed/relaxed.extxyz v_Se:top --strain -0.01 0 0.01 -s 6 6 -o strain",
    ),
    "defect hops": ("defect hops mace:wse2-pbe relaxed/relaxed.extxyz v_Se:top -s 4 4 -o hops",),
    "defect optimum": ("defect optimum mace:wse2-pbe relaxed/relaxed.extxyz v_W -s 3 3 -o optimum",),
    "defect lineshape": ("defect lineshape series/embedded_60x60 forces.extxyz -o line",),
    "defect unfold": ("defect unfold series/embedded_60x60 -o unfolded",),
    "benchmark relax": ("benchmark relax chgnet:0.3.0 2d-pbe-mini -o relaxations",),
    "benchmark compare": ("benchmark compare evaluation-a evaluation-b -o comparison",),
    "alloy enumerate": ("alloy enumerate -c alloy.yaml -o orderings",),
    "alloy energies": ("alloy energies -c alloy.yaml --model chgnet:0.3.0 -o energies",),
    "alloy fit": ("alloy fit -c alloy.yaml energies -o fit",),
    "alloy compare": ("alloy compare -c alloy.yaml energies -o comparison",),
    "alloy hull": ("alloy hull -c alloy.yaml fit -o hull",),
    "alloy mc": ("alloy mc -c alloy.yaml fit -o mc",),
    "alloy sqs": ("alloy sqs -c alloy.yaml -o sqs",),
    "env create": ("env create sevennet",),
    "env list": ("env list",),
    "env remove": ("env remove sevennet",),
}
"""Name of a command → what is typed after `flatforce`."""


def add_examples(command: Any, name: str) -> None:
    """Put the examples of a command, or of the commands of a group, at the end of the help.

    Parameters
    ----------
    command
        A command or group; None is left alone.
    name
        Its name.
    """
    for member, leaf in getattr(command, "commands", {}).items():
        add_examples(leaf, f"{name} {member}")
    if name in COMMAND_LINES:
        command.epilog = "\n\n".join(f"`flatforce {example}`" for example in COMMAND_LINES[name])
