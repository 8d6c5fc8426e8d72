"""How people reach a run: the local socket, single keys in the terminal, a gamepad, and the emergency-stop input."""
