from .by_parts import ByPartsDistributedDataParallel

__all__ = ['ByPartsDistributedDataParallel']
