"""Measuring, tables, figures, reports: what shows the results of everything else."""
