from .errors import UserError, report_user_errors
from .progress import progress
from .spacing import evenly_spaced

__all__ = ['UserError', 'evenly_spaced', 'progress', 'report_user_errors']
