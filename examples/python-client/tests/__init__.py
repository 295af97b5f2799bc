"""Unit tests of the agent: ``python3 -m unittest`` in the folder above."""
