"""Pictures of any kind, from anywhere, brought to the one form that a network takes."""
