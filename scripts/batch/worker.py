"""A worker process on this machine: Beam's own, of which only errors are heard."""

import logging
import sys

from apache_beam.runners.worker import sdk_worker_main

if __name__ == "__main__":
    logging.disable(logging.WARNING)
    sdk_worker_main.main(sys.argv)
