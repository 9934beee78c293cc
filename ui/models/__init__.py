"""The model that answers: what it is and understands, and loading another one.

``choice`` is what can be asked for, ``facts`` tells what there is, ``demo`` knows the
demo model's words, ``widgets`` places the panel and ``loading`` does what it asks for.
"""
