"""Measurements that print benchmarks.md: `make bench`."""
