"""App Engine's automatic scaling, simulated: what the keys of app.yaml cost and bring, from service times that were measured.

python -m scripts.deploy.autoscaling.service_times    benchmarks/service_times.json: inside the limits of F1 and F2, as root
make autoscaling                               docs/autoscaling.md and its plot
"""
