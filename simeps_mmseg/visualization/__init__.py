from .comparison import ComparedImage, comparison_figure, paint

__all__ = ['ComparedImage', 'comparison_figure', 'paint']
