"""MACE, NequIP and SevenNet as one committee on one file: environments are built, a NequIP model is trained.

    python validation/three_backends.py FOLDER

The environments are built in FOLDER as well, unless `FLATFORCE_ENVS` is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TRAIN = """
name: small
n_frames: 12
epochs: 3
stage_two: null
model: {kind: nequip, num_features: 8, num_interactions: 2, r_max: 4.5}
"""


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("FLATFORCE_ENVS", str(folder / "envs"))
    (folder / "train.yaml").write_text(TRAIN)
    model = f"committee:mace:wse2-pbe,nequip:{folder / 'nequip' / 'small.nequip.pt'},sevennet:7net-0"
    for arguments in (
        ["env", "create", "sevennet"],
        ["env", "create", "nequip"],
        ["train", "-c", str(folder / "train.yaml"), "-o", str(folder / "nequip")],
        ["evaluate", model, "wse2-pbe", "-o", str(folder / "all")],
    ):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "flatforce", *arguments], check=True)
        print(f"{' '.join(arguments[:3])}: {time.perf_counter() - start:.0f} s", flush=True)
    result = json.loads((folder / "all" / "result.json").read_text())
    print(result["details"]["model"], result["details"]["n_frames"], "frames")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
