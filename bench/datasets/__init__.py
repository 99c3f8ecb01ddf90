"""Data sets: one file per corpus, each with ``load(**parameters) -> Dataset``."""
