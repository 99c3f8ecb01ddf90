"""Systems: one file each, audio or text in, audio out. Knows no metric and no run."""
