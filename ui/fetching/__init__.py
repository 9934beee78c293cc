"""Videos by link on the page: the field, and who may use it."""
