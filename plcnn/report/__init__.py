"""`plcnn report`: a page for a run, or one that compares several, from what they left in their folders."""
