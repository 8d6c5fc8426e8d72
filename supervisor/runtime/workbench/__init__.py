"""Looking at a robot whose motors stay off: what scan, monitor, zero and configure stand on."""
