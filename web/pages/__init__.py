"""HTML pages: a module for each, with its view and what its template needs; templates are in templates/."""
