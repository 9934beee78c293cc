"""The form: a video, what to do with it, a question.

``widgets`` places the controls, the folded ones for other kinds of questions among
them; ``form`` reads them, ``checking`` makes a checked question of what was read, and
``asking`` does what happens while the form is filled in.
"""
