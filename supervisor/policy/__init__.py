"""The trained policy: contract, observation, action, the ONNX session (the only user of onnxruntime).

sources      where an observation value may come from: width, unit, frame
contract     contract.yaml, as frozen values
checks       a contract against itself
fit          a contract against its network and the robot
observation  from measurements to the network's input, in place
history      past time steps in the stated order, layout and fill
gait         the phase that a policy steps to
session      the network with its buffers bound once
action       from the network's output to joint targets
health       what a step says of itself
policy       all of it together: `load_policy`, `Policy.step`
"""
