"""`make bench`: moves by hand and by Reconciler side by side on real hosts, and what the controller costs.

Figures, never verdicts: a target that is missed is shown as missed and fails nothing. A move that lost the
connection, the count or the memory is no figure: it is reported as broken, and the bench ends with 1.
"""
