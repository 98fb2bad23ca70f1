"""Reports as JSON documents: what `-o json` prints, and what the server answers."""
