"""Demo applications on top of the library: Gradio."""
