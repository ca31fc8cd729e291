from ..utils.checkpoint import find_checkpoint, read_checkpoint
from .checkpoint import BranchScores, best_branch, network_states, plain_checkpoint, recorded_scores, state_of_branches
from .graph import DeployedNetworks, deployed
from .stock_config import branch_model, stock_config

__all__ = [
    'BranchScores',
    'DeployedNetworks',
    'best_branch',
    'branch_model',
    'deployed',
    'find_checkpoint',
    'network_states',
    'plain_checkpoint',
    'read_checkpoint',
    'recorded_scores',
    'state_of_branches',
    'stock_config',
]
