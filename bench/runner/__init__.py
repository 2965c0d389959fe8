# SPDX-License-Identifier: MIT
"""The parts of bench/run: what is run, how it is measured, who judges, and how it is told."""
