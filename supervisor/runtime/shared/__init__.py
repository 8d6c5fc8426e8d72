"""Memory that the processes of one run share: plain mapped files that nobody but their owner may open."""
