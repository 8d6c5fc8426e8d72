"""The behaviour tree: what the mission wants next. It proposes; only the gate of the control loop disposes.

values      a mission's result, the head of a stage, a leaf's fault
context     what one mission knows and wishes, written once per tick by the runtime
base        the lean leaf every node of ours derives from
motion      who keeps the robot standing while a leaf waits; the policy's gain and hand-over
conditions  questions, one per guard and a few about arming and support
actions     verbs: arm, move, hold, run the policy, move single joints, settle
stages      one builder per kind of stage, and what happens when a stage is not accepted
missions    the mission file, its checks, and `create_root`
render      the drawing of a mission: unicode, dot, svg, mermaid
lint        refuses tree shapes that do not withhold motion when a guard fails
"""
