"""The past of an overlay: releases, verdicts, and the one that a rollback takes."""
