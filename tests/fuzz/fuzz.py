"""Fuzzing by coverage: ``python tests/fuzz/fuzz.py TARGET [-max_total_time=900] [FILE]``.

Needs ``pip install atheris``. Inputs that reach new code gather in ``.fuzz/TARGET``, and one that breaks a promise is
written to ``.fuzz/TARGET-crash-...``: give it as FILE to see it again. The other options are libFuzzer's.
"""

import logging
import sys
import warnings
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))  # support, fakes.store

with atheris.instrument_imports(include=["dicomweb_mcp", "pydicom.filereader", "pydicom.values"]):
    import targets

from seeds import SEEDS

HOME = Path(__file__).parents[2] / ".fuzz"
LIMITS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=16384"]


def main() -> None:
    name, *options = sys.argv[1:] or [""]
    if name not in SEEDS:
        sys.exit(f"{__doc__}\nTargets: {', '.join(SEEDS)}.")
    corpus = HOME / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]()):
        (corpus / f"seed-{number}").write_bytes(seed)
    warnings.simplefilter("ignore")
    logging.disable()
    given = [option for option in options if not option.startswith("-")]
    atheris.Setup(
        [sys.argv[0], *LIMITS, f"-artifact_prefix={HOME / name}-", *options, *([] if given else [str(corpus)])],
        getattr(targets, f"fuzz_{name}"),
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
