from .channels_last import ChannelsLastHook
from .semi_supervised import SemiSupervisedHook

__all__ = ['ChannelsLastHook', 'SemiSupervisedHook']
