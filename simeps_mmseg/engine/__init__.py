from .hooks import ChannelsLastHook, SemiSupervisedHook
from .optimizers import BFloat16OptimWrapper

__all__ = ['BFloat16OptimWrapper', 'ChannelsLastHook', 'SemiSupervisedHook']
