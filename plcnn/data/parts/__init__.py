"""Which pictures are trained on, validated with and tested on, and how often each is shown."""
