"""Is the control loop on time: by itself, beside a busy machine, and beside neighbours that hang?"""
