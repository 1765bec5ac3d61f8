"""Code that several folders of scripts/ share: metrics, the manifest's writer, model conversion, the git commit, Markdown
tables, plots.
"""
