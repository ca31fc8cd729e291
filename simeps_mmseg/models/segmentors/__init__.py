from .multi_branch import MultiBranchSemiSegmentor, TriBranchSemiSegmentor

__all__ = ['MultiBranchSemiSegmentor', 'TriBranchSemiSegmentor']
