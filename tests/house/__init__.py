"""Tests of the house itself: what is in the tree, in the wheel, in the locks, and which way imports run."""
