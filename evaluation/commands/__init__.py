"""The commands of ``python -m evaluation``, one module each.

Each has ``add_to(commands)``, which describes it, and ``call(args)``, which does it and
returns what to print. Heavy libraries are imported by the call.
"""
