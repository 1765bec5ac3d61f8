"""Measure the face tracker on synthetic videos: ID switches, standard metrics, smoothing, people who come back."""
