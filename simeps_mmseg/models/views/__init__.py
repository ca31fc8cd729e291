from .cut_mix import CutMix, Mix
from .random_view import GreyNoise, RandomView
from .views import Views, build_views

__all__ = ['CutMix', 'GreyNoise', 'Mix', 'RandomView', 'Views', 'build_views']
