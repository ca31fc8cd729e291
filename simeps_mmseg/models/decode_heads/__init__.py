from .conv_seg_head import ConvSegHead

__all__ = ['ConvSegHead']
