"""Text model: data, vocabulary, training, export, evaluation and model card."""
