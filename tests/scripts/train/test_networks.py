"""Networks on torch's CPU give the same with and without the copies that Keras makes of each map."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STEP = """
import json, sys
import keras, torch
import numpy as np
from keras.src.backend.torch import nn
original = nn._transpose_spatial_inputs
from scripts.train.backbones import residual_backbone
from scripts.train.networks import vgg_backbone

patched = nn._transpose_spatial_inputs
report = {"replaced": patched is not original}
for name, build in {"vgg": lambda: vgg_backbone(), "residual": lambda: residual_backbone()}.items():
    keras.utils.set_random_seed(1)
    base, faces, steps = build(), np.random.default_rng(0).integers(0, 256, (2, 48, 48, 1)), []
    for nn._transpose_spatial_inputs in (original, patched):
        base.zero_grad()
        features = base(faces.astype("float32"), training=True)
        features.square().sum().backward()
        steps.append([features, *(weight.value.grad for weight in base.trainable_weights)])
    report[name] = [float((one - other).abs().max() / (one.abs().max() + 1e-12)) for one, other in zip(*steps)]
print(json.dumps(report))
"""


@pytest.mark.skipif(not find_spec("torch"), reason="torch, which training may use, is not installed")
def test_outputs_and_gradients_are_the_same():
    environment = {**os.environ, "KERAS_BACKEND": "torch", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run([sys.executable, "-c", STEP], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report.pop("replaced") and len(report) == 2
    assert all(max(differences) < 1e-3 for differences in report.values()), report
