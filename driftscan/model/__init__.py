"""The nouns: frozen, typed values that every other package shares. Standard library only."""
