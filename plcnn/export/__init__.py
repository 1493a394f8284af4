"""`plcnn export`: a trained network as a file that other programs run, checked against the checkpoint it came from."""
