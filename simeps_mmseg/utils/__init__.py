from .counting import counted
from .errors import UsageError, UserError, report_user_errors
from .progress import progress
from .spacing import evenly_spaced

__all__ = ['UsageError', 'UserError', 'counted', 'evenly_spaced', 'progress', 'report_user_errors']
