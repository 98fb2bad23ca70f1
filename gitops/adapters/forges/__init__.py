"""One module for each library that talks to forges; each is the only one that knows its library.

They implement `ports.GatedForge`, know nothing of each other, and load their library when they are
opened. What they share (time, retries, errors, the words for people) is `transport/calls.py`.
"""
