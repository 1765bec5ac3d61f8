"""Tests of the Apache Beam pipeline and the Gradio demo."""
