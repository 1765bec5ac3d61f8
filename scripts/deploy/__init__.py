"""Deployment tests: App Engine and Heroku limits, load, storage emulator."""
