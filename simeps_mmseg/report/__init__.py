"""One HTML file that tells whether a training can be trusted: what it found, what it gets wrong, what to label next."""

from .confusion_findings import score_findings
from .finding import Finding, RunContext
from .findings import checks_made, log_findings
from .page import Block, Chart, Code, Page, Picture, Section, Table, Text, render

__all__ = [
    'Block',
    'Chart',
    'Code',
    'Finding',
    'Page',
    'Picture',
    'RunContext',
    'Section',
    'Table',
    'Text',
    'checks_made',
    'log_findings',
    'render',
    'score_findings',
]
