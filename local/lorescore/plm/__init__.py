"""Pretrained language models: find and load one, adapt it with a strategy."""
