"""Images as builds write them: OCI layouts, read as the layers of tar that they are and unpacked nowhere."""
