"""What a browser sees: forms, pages, static files and the JSON API. Nothing here decides what may run."""
