"""Random numbers that are the same whether or not a training was interrupted.

What is drawn while a sample is loaded (flips, crops, colours) is seeded by the sample's position in the stream of the
sampler, so neither the number of worker processes nor a resume changes it (``per_sample``). What is drawn beside it (dropout,
views, CutMix) goes on from the state of the process's generators, which is kept in the checkpoint (``generators``), and
differs by process (``per_process``).
"""

from .generators import generator_states, seeded, set_generator_states, set_torch_states
from .per_process import seed_by_process
from .per_sample import PositionedSampler, SeededItems

__all__ = [
    'PositionedSampler',
    'SeededItems',
    'seed_by_process',
    'generator_states',
    'seeded',
    'set_generator_states',
    'set_torch_states',
]
