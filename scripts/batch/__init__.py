"""A million photos: an Apache Beam pipeline that reads every photo of a pattern and writes a row each.

    python -m scripts.batch --input 'photos/**/*.jpg' --output out --workers 2
"""
