"""What the page shows of an answer, and what can be done with it.

``cards`` says what was found and ``moments`` which stretches of time there are;
``timeline``, ``tables``, ``keyframes``, ``parsed`` and ``filelist`` draw what is known
as HTML; ``widgets`` places the controls and ``show`` fills them. ``edit_widgets``
places the two forms, ``correcting`` draws on the second, ``form`` reads both,
``editing`` does what they ask for, ``exporting`` writes the files.
"""
