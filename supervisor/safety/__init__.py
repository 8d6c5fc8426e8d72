"""Guards, severity with its latch, the gate, arming: what must never fail. numpy and the standard library only."""
