from .errors import UserError, report_user_errors
from .progress import progress

__all__ = ['UserError', 'progress', 'report_user_errors']
