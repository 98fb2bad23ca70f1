"""Reports as text for people, as JSON documents, as annotations for CI."""
