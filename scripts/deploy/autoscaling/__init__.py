"""Simulation of App Engine's automatic scaling: latency and cost of the keys in app.yaml, from measured service times.

python -m scripts.deploy.autoscaling.service_times    measure benchmarks/service_times.json within F1 and F2; needs root
make autoscaling                                      write docs/autoscaling.md and its plot
"""
