"""Metrics: one file each, arrays and observations in, numbers out. Knows no system and no run."""
