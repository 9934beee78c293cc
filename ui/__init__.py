"""The web page: what a person sees and presses. ``app.py`` starts it.

``i18n`` holds the words, ``remarks`` those of the library, ``view`` the small pieces of
HTML, ``layout`` the page, ``handlers`` what each control does, ``results`` all that
shows an answer and changes it, ``pipeline`` one question from start to clip, ``files``
the other formats, ``jobs`` the thread they run in, ``running`` what all runs share,
``settings`` what the browser remembers, ``session`` the folders they write to,
``server`` how all that is put on a port safely.
"""
