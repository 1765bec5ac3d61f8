"""Evaluation of detection, classification, rejection and tracking."""
