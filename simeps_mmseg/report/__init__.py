"""One HTML file that tells whether a training can be trusted: what it found, what it gets wrong, what to label next."""

from .confusion_findings import score_findings
from .finding import Finding, RunContext, by_severity
from .findings import checks_made, course_findings, log_findings
from .page import Block, Chart, Code, Page, Picture, Section, Table, Text, render
from .verdicts import verdicts

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
    'by_severity',
    'checks_made',
    'course_findings',
    'log_findings',
    'render',
    'score_findings',
    'verdicts',
]
