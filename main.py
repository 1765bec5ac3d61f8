"""WSGI entry point: `gunicorn main:app`."""

import sys

from emotions import ModelFileError
from web import create_app
from web.settings import SettingError

BOOT_ERROR = 3
"""Exit code at which gunicorn gives up instead of trying again."""

try:
    app = create_app()
except (SettingError, ModelFileError) as error:
    print(f"emotions: not starting: {' '.join(str(error).split())}", file=sys.stderr)
    sys.exit(BOOT_ERROR)
