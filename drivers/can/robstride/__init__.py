"""RobStride RS00 to RS06 and EL05 motors on classic CAN: private 29-bit protocol, and a codec of the MIT variant."""
