"""Deliberately wrong functions: every law is shown to be able to fail."""
