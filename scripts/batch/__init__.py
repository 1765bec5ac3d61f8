"""Apache Beam pipeline that analyzes millions of photos and writes a row for each.

python -m scripts.batch --input 'photos/**/*.jpg' --output out --workers 2
"""

import logging

# Beam logs this at every import in every process, but only gs:// paths need apitools, and they raise an error of their own.
logging.getLogger().addFilter(lambda record: not record.getMessage().startswith("apitools not found"))
