"""Tests of scripts/deploy/autoscaling/."""
