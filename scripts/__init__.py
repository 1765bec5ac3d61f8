"""Commands that are run with `python -m scripts.<package>.<module>`: data, training, evaluation, release, deployment."""
