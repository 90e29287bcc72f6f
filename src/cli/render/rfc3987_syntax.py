"""Hides the package of this name from jsonschema, which then leaves unchecked whether a URI is one.

The package builds a grammar as it is imported, which takes longer than the page of a notebook.
"""

raise ImportError("hidden: notebooks need no check of URIs")
