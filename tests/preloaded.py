"""What the server of :mod:`tests.processes` imports before processes are forked from it; nothing else imports this."""

import simeps_mmseg.apis.train  # noqa: I001 - first: without it torchvision cannot be imported beside a CPU-only torch

import mmpretrain.models  # noqa: F401
import pytest  # noqa: F401
from yapf.yapflib import yapf_api

import simeps_mmseg.apis.test  # noqa: F401
import tests.helpers  # noqa: F401

# As in conftest.py: to lay out the text of a config takes longer than to train tiny networks.
yapf_api.FormatCode = lambda text, **_: (text, False)
