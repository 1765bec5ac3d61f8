"""A million photos: an Apache Beam pipeline that reads every photo of a pattern and writes a row each.

python -m scripts.batch --input 'photos/**/*.jpg' --output out --workers 2
"""

import logging

# Beam says so at every import, in every process; only gs:// needs them, and says so itself.
logging.getLogger().addFilter(lambda record: not record.getMessage().startswith("apitools not found"))
