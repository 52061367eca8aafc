"""Real Debian hosts on one machine, and the end-to-end suite that scans them."""
