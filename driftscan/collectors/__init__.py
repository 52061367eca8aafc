"""One file per kind of fact: columns, sources, and a pure parser. A new collector is one new file and its cases."""
