"""Recipes of the observers that this repository trains itself."""
