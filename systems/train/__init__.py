"""Recipes: one file for each system whose weights are made here."""
