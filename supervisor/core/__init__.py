"""The vocabulary every other room speaks. Imports nothing of ours.

errors     what can go wrong, as one tree
levels     how far a stop goes; the values of a guard; the arming states
clock      time is an argument: the wall clock and a virtual one
joints     the order in which joint arrays are laid out
state      what was measured, each reading with its stamp
command    what may be sent to the joints, and who asked for it
guard      guard rows as declared, guard readings as measured
exchange   what crosses the link between the control and the mission loop
moves      minimum-jerk paths and the plan of single-joint moves
signature  the faults a signature tells apart, and the recordings it is made from
report     what a stage measured, and what a failure means
quick      frozen dataclasses made in less than half the time
ports      the small protocols that leaves and loops are built against
robot      the robot file, as frozen values
safety     the safety file, as frozen values
robot_file robot and safety file read together, with the checks across keys
loading    YAML to those values, with every problem named (the only user of pydantic here)
"""
