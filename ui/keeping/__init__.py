"""What survives a restart of the app, in a folder that ``--keep`` names.

::

    DIR/                        mode 0700, one app at a time
        stablechat.json         says what this folder is, and its version
        lock
        files/                  what the page serves, see ui.session
        state/<token>/          one tab's answers as JSON, never served

The state lies apart from the files, so that no address on the page leads to it, and
holds a tab's secret only as a digest.
"""
