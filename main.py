"""WSGI entry point: `gunicorn main:app`."""

from web import create_app

app = create_app()
