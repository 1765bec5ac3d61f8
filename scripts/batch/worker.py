"""Local worker process of Beam that logs errors only."""

import logging
import sys

from apache_beam.runners.worker import sdk_worker_main

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    sdk_worker_main.main(sys.argv)
