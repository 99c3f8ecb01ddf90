"""The runner: plug systems, data sets and metrics together, and record what happened."""
