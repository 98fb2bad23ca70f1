"""The releases of an overlay, and the rule of which one a rollback restores."""
