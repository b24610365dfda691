"""`make bench`: Tocsin and a bare floor, measured in turn on one machine in one go.

Judges nothing: it prints figures and writes them down.
"""
