"""Manifests and snapshots on disk, and registries of manifests."""
