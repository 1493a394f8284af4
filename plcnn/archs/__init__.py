"""`plcnn archs`: the architectures listed, explained and checked."""
