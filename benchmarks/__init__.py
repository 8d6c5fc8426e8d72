"""What the performance figures in the README are made with: `make bench` runs all of it and prints one table."""
