"""`plcnn tune`: a learning rate and a batch size to begin with, found by Lightning's Tuner in a minute."""
