from .loading import LoadImageAsUint8, to_uint8

__all__ = ['LoadImageAsUint8', 'to_uint8']
