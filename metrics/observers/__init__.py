"""Observers: models and trackers that listen to a recording once, for any number of metrics."""
