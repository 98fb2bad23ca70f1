"""What a verb stands on: session, tip, overlays, targets, holds."""
