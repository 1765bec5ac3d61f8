"""Speech model: data, training, export, evaluation and model card."""
