"""The web page: what a person sees and presses. ``app.py`` starts it.

``i18n`` holds the words, ``view`` the small pieces of HTML, ``layout`` the page,
``handlers`` what each control does, ``pipeline`` one question from start to files,
``jobs`` the thread it runs in, ``session`` the folders it writes to, ``server`` how
all that is put on a port safely.
"""
