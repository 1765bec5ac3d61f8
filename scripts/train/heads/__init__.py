"""Train dense heads on bottleneck features, and choose among them."""
