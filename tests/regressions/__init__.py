"""Bugs of other libraries, each named by the thread that reports it."""
