"""The suites, one a module: `TITLE` and `ABOUT` say what it is, `run` runs it and notes rows."""
