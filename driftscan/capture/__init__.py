"""Sources in, captures out: the only package that looks at a target."""
