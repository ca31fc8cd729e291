"""One HTML file that tells whether a training can be trusted: what it found, what it gets wrong, what to label next."""

from .findings import Circumstances, Finding, checks_made, log_findings, score_findings
from .page import Block, Chart, Code, Page, Picture, Section, Table, Text, render

__all__ = [
    'Block',
    'Chart',
    'Circumstances',
    'Code',
    'Finding',
    'Page',
    'Picture',
    'Section',
    'Table',
    'Text',
    'checks_made',
    'log_findings',
    'render',
    'score_findings',
]
