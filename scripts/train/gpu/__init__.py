"""Training of VGG-16 backbones on one GPU within a time limit, in plain PyTorch."""
