"""driftscan: is this server still the image we baked?"""

__version__ = "0.1.0"
