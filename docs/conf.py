"""Configuration of the documentation; ``make docs`` builds it."""

from simeps_mmseg import __version__

project = 'simeps_mmseg'
author = 'simeps_mmseg contributors'
copyright = author
release = version = __version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon', 'sphinx.ext.viewcode', 'sphinx_copybutton']
myst_heading_anchors = 4  # links such as own_data.md#start-from-the-network-that-works

autodoc_member_order = 'alphabetical'
autodoc_typehints = 'signature'
autodoc_default_options = {'members': True, 'show-inheritance': True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # fields of named tuples and data classes are described once

html_theme = 'furo'
html_title = 'simeps_mmseg'
html_static_path = []
