"""Which layer of a model looks where the answer is: a calibration on annotated boxes."""
