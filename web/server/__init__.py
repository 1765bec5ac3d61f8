"""HTTP server: waitress inside gunicorn's worker, with bounds on memory, time and queue for every connection."""
