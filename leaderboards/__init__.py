"""Reads runs, makes tables. Columns are signatures, rows are runs."""
