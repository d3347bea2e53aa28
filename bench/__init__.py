"""Benchmarks: each scenario measures Marquee and its named baselines in one run."""
