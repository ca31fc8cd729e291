from .dropout_unet import DropoutUNet

__all__ = ['DropoutUNet']
