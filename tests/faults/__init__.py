"""Faults on real hosts: `make faults` runs the matrix of HAZARDS, boundary by boundary, in a lab of its own.

    model.py       what a case is: a shape of plan, strikes at exact boundaries, the outcomes that are allowed
    cases.py       the matrix, as data
    controller.py  the real program in a process of its own, with strikes built around journal and fleet
    blows.py       what is done to hosts, and how it is made good
    watch.py       how many copies run, by the kernel's word, ten times a second
    bench.py       a lab, a spec repository, and ways to run the program on them
    referee.py     runs one case and judges it
    figures.py     what an abort costs a client

Real: sshd, Podman, CRIU, journal, program. The product has no hooks for tests; strikes are wrapped around it.
"""
