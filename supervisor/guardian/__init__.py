"""The guardian: a small process that hears the control loop's heart beat, and stops the motors where it does not.

It shares nothing with what it watches but a socket: not the interpreter, not the handles of the buses, not a library
beyond Python's own. What stops the motors was prepared as bytes before it began.

messages   what crosses the socket, and the token on each message
watch      judges beats and silence: no input, no output, time is an argument
turns      which bytes go out when, once it stops the motors
handles    its own handles on the buses
latch      what outlives it, on disk
duty       the loop that ties them together
process    its `main`
"""
