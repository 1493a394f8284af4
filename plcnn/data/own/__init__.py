"""What sources of people's own pictures share."""
