"""What the page shows of an answer.

``moments`` says which stretches of time there are, ``timeline``, ``tables`` and
``keyframes`` draw them as HTML, ``widgets`` places the controls, ``show`` fills them.
"""
