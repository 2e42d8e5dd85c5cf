"""Writes parity/fixtures/{pipelines,adapters,reference}: see parity/README.md.

    python parity/make_fixtures.py [FOLDER]
"""

import os
import sys
import warnings
from pathlib import Path

if os.environ.get("PYTHONHASHSEED") != "0":
    # PEFT writes sets into metadata, whose order must not change between runs.
    os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0", "TRANSFORMERS_VERBOSITY": "error"})

import torch
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from reference_models import Fixtures
from reference_networks import make_networks
from reference_pictures import make_pictures
from tiny_adapters import make_adapters
from tiny_pipelines import make_pipelines

warnings.filterwarnings("ignore")
# One thread, so that the order of sums is fixed.
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
for logging in (diffusers_logging, transformers_logging):
    logging.set_verbosity_error()
    logging.disable_progress_bar()

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "fixtures"
make_pipelines(folder / "pipelines")
make_adapters(folder / "adapters", folder / "pipelines")
fixtures = Fixtures(folder / "pipelines", folder / "adapters")
(folder / "reference").mkdir(exist_ok=True)
make_networks(fixtures, folder / "reference")
make_pictures(fixtures, folder / "reference")
