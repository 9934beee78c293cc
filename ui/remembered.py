"""What a tab and its browser remember of earlier tabs: secrets that open sessions.

A tab keeps its own in its ``sessionStorage``, which a reload leaves alone. Where
answers survive a restart, the browser also keeps those of its last tabs, so that they
are found again after it was closed.
"""

from __future__ import annotations

import json

#: Most that a browser keeps.
MAX_SECRETS = 20
#: Our own are half as long.
_MAX_CHARACTERS = 100

_OWN = "stablechat-tab"
_BROWSERS = "stablechat-kept"

# Where storage is forbidden it throws.
_STORED = f"""
  const stored = () => {{
    try {{
      const found = JSON.parse(localStorage.getItem("{_BROWSERS}") ?? "[]");
      return Array.isArray(found) ? found : [];
    }} catch {{
      return [];
    }}
  }};
"""


def tell_secrets(keeps: bool) -> str:
    """JavaScript that tells the secrets that the tab knows, its own first.

    Args:
        keeps: Whether answers survive a restart.
    """
    others = "...stored()" if keeps else ""
    return f"""() => {{{_STORED}
  let own = "";
  try {{
    own = sessionStorage.getItem("{_OWN}") ?? "";
  }} catch {{ /* A reload begins anew. */ }}
  return JSON.stringify([own, {others}]);
}}"""


def keep_secret(keeps: bool) -> str:
    """JavaScript that keeps the secret that the tab was given.

    Args:
        keeps: Whether answers survive a restart.
    """
    browser = f"""
  const others = stored().filter((each) => each !== secret);
  const kept = [secret, ...others].slice(0, {MAX_SECRETS});
  try {{
    localStorage.setItem("{_BROWSERS}", JSON.stringify(kept));
  }} catch {{ /* The tab still knows it. */ }}"""
    return f"""(secret) => {{{_STORED}
  try {{
    sessionStorage.setItem("{_OWN}", secret);
  }} catch {{ /* A reload begins anew. */ }}{browser if keeps else ""}
  window.stableChat.restoreDraft();
}}"""


def secrets_told(told: str | None) -> list[str]:
    """What came back from :func:`tell_secrets`; it may be anything.

    Returns:
        The tab's own, which may be empty, and its browser's others.
    """
    try:
        known = json.loads((told or "")[: 2 * MAX_SECRETS * _MAX_CHARACTERS])
    except (ValueError, RecursionError):
        return []
    if not isinstance(known, list):
        return []
    texts = [each for each in known if isinstance(each, str)]
    return [each[:_MAX_CHARACTERS] for each in texts[: MAX_SECRETS + 1]]
