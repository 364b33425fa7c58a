"""The apps, one a module: `PACKAGE` says what it is, `use` starts it and uses it through the gateway."""
