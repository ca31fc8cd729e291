"""What each of several processes draws at random."""

from mmengine.dist import get_world_size
from mmengine.runner import Runner, set_random_seed


def seed_by_process(runner: Runner) -> None:
    """Let each process draw views, CutMix boxes and dropout of its own: its generators start from the seed plus its rank.

    mmengine seeds all processes alike unless ``randomness.diff_rank_seed`` is set, so that networks start alike; but then the
    images of all processes get the same boxes and the same dropout. To be called once networks have their weights. Changes
    nothing in a single process.
    """
    if get_world_size() > 1 and not runner._randomness_cfg.get('diff_rank_seed', False):
        set_random_seed(
            runner.seed, deterministic=runner._randomness_cfg.get('deterministic', False), diff_rank_seed=True
        )
