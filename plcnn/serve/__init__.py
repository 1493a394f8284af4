"""`plcnn serve`: a page and an HTTP API that name the classes of pictures."""
